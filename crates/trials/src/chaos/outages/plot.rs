//! Draws the course of a cell: what waits, what comes in and goes out, and the breakers.

use plotters::{coord::Shift, prelude::*};
use tokio::time::Instant;

use super::{journal::Switch, trial::Course};

const SIZE: (u32, u32) = (760, 660);
/// Where the parts of the plot begin.
const SPLITS: [u32; 2] = [280, 510];
const BLUE: RGBColor = RGBColor(0, 95, 175);
const ORANGE: RGBColor = RGBColor(175, 80, 0);
const OUTAGE: RGBColor = RGBColor(235, 235, 235);
/// How many looks a rate is measured over.
const SMOOTH: usize = 4;
/// Twice the height of the breakers' lines.
const BREAKERS_TOP: f64 = 5.0;
const LABEL: (&str, u32) = ("sans-serif", 11);
/// The workers, whose breakers are drawn.
const WORKERS: [(&str, RGBColor); 2] = [("fulfilment", BLUE), ("promotion", ORANGE)];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of the plot.
struct Line {
    label: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// The plot, as SVG.
///
/// # Errors
///
/// If it cannot be drawn.
pub fn plot(cell: &str, course: &Course) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // The page around it may be dark.
        area.fill(&WHITE)?;
        let (waiting, rest) = area.split_vertically(SPLITS[0]);
        let (rates, breakers) = rest.split_vertically(SPLITS[1] - SPLITS[0]);
        let caption = format!("{cell}: the outage is grey, a process of each service is killed");
        draw(&waiting, course, &caption, "waiting", &waits(course))?;
        draw(&rates, course, "", "orders a second", &rates_of(course))?;
        draw(&breakers, course, "", "breaker", &breaker_lines(course))?;
        area.present()?;
    }
    Ok(svg)
}

impl Course {
    /// Seconds since the begin of the outage.
    fn seconds(&self, at: std::time::Instant) -> f64 {
        let began = self.outage[0].into_std();
        match at.checked_duration_since(began) {
            Some(since) => since.as_secs_f64(),
            None => -began.duration_since(at).as_secs_f64(),
        }
    }

    fn bounds(&self) -> (f64, f64) {
        let at = |sample: Option<&super::watch::Sample>| sample.map(|it| self.seconds(it.at));
        (at(self.samples.first()).unwrap_or(0.0), at(self.samples.last()).unwrap_or(1.0))
    }
}

fn waits(course: &Course) -> Vec<Line> {
    let orders = |it: &super::watch::Sample| it.orders.accepted.saturating_sub(it.orders.done);
    let line = |label, colour, count: &dyn Fn(&super::watch::Sample) -> usize| Line {
        label,
        colour,
        points: course.samples.iter().map(|it| (course.seconds(it.at), count(it) as f64)).collect(),
    };
    vec![
        line("accepted orders that are not done", BLUE, &orders),
        line("messages in the queues", ORANGE, &|it| it.messages),
    ]
}

/// The rates over several looks at a time, which smooths them.
fn rates_of(course: &Course) -> Vec<Line> {
    let line = |label, colour, count: &dyn Fn(&super::watch::Sample) -> usize| Line {
        label,
        colour,
        points: (course.samples.iter().zip(course.samples.iter().skip(SMOOTH)))
            .map(|(from, to)| {
                let seconds = (to.at - from.at).as_secs_f64();
                let change = count(to).saturating_sub(count(from));
                (course.seconds(to.at), change as f64 / seconds)
            })
            .collect(),
    };
    vec![
        line("accepted", BLUE, &|it| it.orders.accepted),
        line("done", ORANGE, &|it| it.orders.done),
    ]
}

/// A step up while a breaker is open; each worker has its own height.
fn breaker_lines(course: &Course) -> Vec<Line> {
    let line = |(index, (service, colour)): (usize, (&'static str, RGBColor))| {
        let base = index as f64 * 1.5;
        let (first, last) = course.bounds();
        let mut points = vec![(first, base)];
        let ours = |it: &&Switch| it.service == service;
        for Switch { at, is_open, .. } in course.switches.iter().filter(ours) {
            let at = course.seconds(*at);
            let before = points.last().map_or(base, |point| point.1);
            points.extend([(at, before), (at, base + f64::from(u8::from(*is_open)))]);
        }
        points.push((last, points.last().map_or(base, |point| point.1)));
        Line { label: service, colour, points }
    };
    WORKERS.into_iter().enumerate().map(line).collect()
}

fn draw(
    area: &Area<'_>,
    course: &Course,
    caption: &str,
    unit: &str,
    lines: &[Line],
) -> anyhow::Result<()> {
    let is_state = unit == "breaker";
    let highest = lines.iter().flat_map(|it| &it.points).map(|point| point.1).fold(1.0, f64::max);
    // The labels of the lines are above them.
    let top = if is_state { BREAKERS_TOP } else { highest * 1.4 };
    let (first, last) = course.bounds();
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(60)
        .build_cartesian_2d(first..last.max(first + 1.0), 0.0..top)?;
    let seconds = |at: Instant| course.seconds(at.into_std());
    let [began, killed, ended] = course.outage.map(seconds);
    let outage = Rectangle::new([(began, 0.0), (ended, top)], OUTAGE.filled());
    chart.draw_series([outage])?;
    chart.draw_series(LineSeries::new([(killed, 0.0), (killed, top)], BLACK.stroke_width(1)))?;
    let whole = |value: &f64| format!("{value:.0}");
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(LABEL)
        .axis_desc_style(LABEL)
        .x_label_formatter(&whole)
        .y_label_formatter(&|value| if is_state { String::new() } else { whole(value) })
        .x_desc("seconds since the outage began")
        .y_desc(if is_state { "breaker: up is open" } else { unit })
        .draw()?;
    for Line { label, colour, points } in lines {
        let colour = *colour;
        let mark = move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour);
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        chart.draw_series(line)?.label(*label).legend(mark);
    }
    let labels = SeriesLabelPosition::UpperLeft;
    let mut legend = chart.configure_series_labels();
    legend.position(labels).label_font(LABEL).background_style(WHITE).draw()?;
    Ok(())
}
