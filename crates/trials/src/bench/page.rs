//! The report as a page: the table, and a plot for each group of curves.

use askama::Template;
use plotters::prelude::*;

use super::report::{Curve, Figure, Report};

const PLOT_SIZE: (u32, u32) = (640, 320);
const COLOURS: [RGBColor; 3] = [RGBColor(0, 95, 175), RGBColor(175, 80, 0), RGBColor(30, 120, 60)];

#[derive(Template)]
#[template(path = "bench.html")]
struct Page<'a> {
    report: &'a Report,
    sections: Vec<(&'static str, Vec<&'a Figure>)>,
    /// Not escaped: they contain only numbers and titles from this crate.
    plots: &'a [Plot],
}

/// The page, which needs no other files.
///
/// # Errors
///
/// If the template fails.
pub fn render(report: &Report, plots: &[Plot]) -> anyhow::Result<String> {
    let by_section = report.figures.chunk_by(|a, b| a.section == b.section);
    let sections = by_section.map(|figures| (figures[0].section, figures.iter().collect()));
    Ok(Page { report, sections: sections.collect(), plots }.render()?)
}

/// A plot.
pub struct Plot {
    /// The name of its file, without the extension.
    pub name: String,
    /// The drawing, as SVG.
    pub svg: String,
}

/// Draws all curves.
///
/// # Errors
///
/// If one cannot be drawn.
pub fn plots(report: &Report) -> anyhow::Result<Vec<Plot>> {
    report.curves.chunk_by(|a, b| a.title == b.title).map(plot).collect()
}

/// Draws curves that share a plot.
fn plot(curves: &[Curve]) -> anyhow::Result<Plot> {
    let mut svg = String::new();
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let width = points().map(|point| point.0).fold(1.0, f64::max);
    let height = points().map(|point| point.1).fold(1.0, f64::max);
    // The legend is above all points.
    let legend = if curves.len() > 1 { 0.1 * (curves.len() + 1) as f64 } else { 0.0 };
    {
        let area = SVGBackend::with_string(&mut svg, PLOT_SIZE).into_drawing_area();
        // The page around it may be dark.
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&curves[0].title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..width * 1.05, 0.0..height * (1.1 + legend))?;
        let whole = |value: &f64| format!("{value:.0}");
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&whole)
            .y_label_formatter(&whole)
            .x_desc(curves[0].x)
            .y_desc(curves[0].y)
            .draw()?;
        for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            let drawn = chart.draw_series(line.point_size(3))?;
            if !curve.line.is_empty() {
                let mark = move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour);
                drawn.label(&curve.line).legend(mark);
            }
        }
        if curves.len() > 1 {
            let labels = SeriesLabelPosition::UpperRight;
            chart.configure_series_labels().position(labels).background_style(WHITE).draw()?;
        }
        area.present()?;
    }
    Ok(Plot { name: curves[0].title.to_lowercase().replace([' ', ','], "-"), svg })
}
