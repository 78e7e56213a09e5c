//! The figures of `docs/scaling.md`: a table, and a plot for each pattern.

use plotters::prelude::*;

use super::{
    measured::Measured,
    patterns::{AT_NIGHT, DAY, PATTERNS, Pattern, Worker},
    world::{Moment, Outcome},
};

const PLOT_SIZE: (u32, u32) = (640, 240);
const TASKS: RGBColor = RGBColor(175, 80, 0);
const MESSAGES: RGBColor = RGBColor(0, 95, 175);

/// The table: what happens from `infrastructure/`, and what is different from `copilot/`.
pub fn table(infrastructure: &Worker, copilot: &Worker, measured: Measured) -> String {
    let mut table = "| what happens | the first message waits | the longest wait | tasks at most \
                     | changes | hours of tasks |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for pattern in &PATTERNS {
        table += &row(pattern.name, &infrastructure.meets(pattern, measured));
    }
    let (mut stays, mut plain) = (infrastructure.clone(), copilot.clone());
    stays.scaling.min_tasks = 1;
    plain.unpatch();
    let others = [
        ("one message at night, with `MinTasks=1`", &stays, AT_NIGHT),
        ("the day, with `MinTasks=1`", &stays, DAY),
        ("one message at night, with Copilot", copilot, AT_NIGHT),
        ("the same without our patches", &plain, AT_NIGHT),
    ];
    for (name, worker, pattern) in others {
        table += &row(name, &worker.meets(&pattern, measured));
    }
    table
}

fn row(name: &str, outcome: &Outcome) -> String {
    let so_far = &outcome.so_far;
    let longest = if outcome.left > 0 { None } else { Some(so_far.longest_wait) };
    format!(
        "| {name} | {} | {} | {} | {} | {:.2} |\n",
        waited(so_far.first_wait),
        waited(longest),
        outcome.most_tasks(),
        outcome.changes().len(),
        so_far.task_seconds as f64 / 3600.0,
    )
}

/// A time as it is read; none is for ever.
fn waited(seconds: Option<u64>) -> String {
    match seconds {
        None => "for ever".to_owned(),
        Some(seconds) if seconds < 120 => format!("{seconds} s"),
        Some(seconds) => format!("{:.1} min", seconds as f64 / 60.0),
    }
}

/// The plot of a pattern, as SVG.
///
/// # Errors
///
/// If it cannot be drawn.
pub fn plot(pattern: &Pattern, outcome: &Outcome) -> anyhow::Result<String> {
    let mut svg = String::new();
    // Some 300 points are enough for a curve.
    let every = (outcome.moments.len() / 300).max(1);
    let moments: Vec<(f64, Moment)> = (1u32..)
        .map(|minute| f64::from(minute) / 60.0)
        .zip(outcome.moments.iter().copied())
        .step_by(every)
        .collect();
    let hours = pattern.minutes as f64 / 60.0;
    let most = moments.iter().map(|(_, it)| it.messages).max().unwrap_or_default().max(1);
    {
        let area = SVGBackend::with_string(&mut svg, PLOT_SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(pattern.name, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(32)
            .y_label_area_size(40)
            .right_y_label_area_size(64)
            .build_cartesian_2d(0.0..hours, 0.0..4.5)?
            .set_secondary_coord(0.0..hours, 0.0..most as f64 * 1.125);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .y_labels(5)
            .y_label_formatter(&|value| format!("{value:.0}"))
            .x_desc("hours")
            .y_desc("tasks")
            .draw()?;
        chart
            .configure_secondary_axes()
            .y_labels(5)
            .y_label_formatter(&|value| format!("{value:.0}"))
            .y_desc("messages")
            .draw()?;
        let messages = moments.iter().map(|(hour, it)| (*hour, it.messages as f64));
        chart
            .draw_secondary_series(LineSeries::new(corners(messages), MESSAGES.stroke_width(1)))?;
        let tasks = moments.iter().map(|(hour, it)| (*hour, f64::from(it.tasks)));
        chart.draw_series(LineSeries::new(corners(steps(tasks)), TASKS.stroke_width(2)))?;
        area.present()?;
    }
    Ok(svg)
}

/// A value holds until the next one.
fn steps(points: impl Iterator<Item = (f64, f64)>) -> impl Iterator<Item = (f64, f64)> {
    let mut before = None;
    points.flat_map(move |(x, y)| {
        let corner = before.replace(y).filter(|it| *it != y).map(|it| (x, it));
        corner.into_iter().chain([(x, y)])
    })
}

/// Only the points at which a level line begins or ends.
fn corners(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if let [.., (_, one), (_, other)] = corners[..]
            && one == point.1
            && other == point.1
        {
            corners.pop();
        }
        corners.push(point);
    }
    corners
}
