//! What the scaling of the workers does, on a virtual clock.
//!
//! The policies and alarms are those of the templates. The account is a model: of CloudWatch, whose
//! datapoints come late, of Application Auto Scaling, of SQS, and of tasks as fast as measured.

mod task;

pub mod plant;

pub mod cloudwatch;

pub mod autoscaling;

pub mod world;

pub mod workspace;

pub mod measured;
pub mod patterns;

mod page;

mod targets;

use self::{
    measured::Measured,
    patterns::{PATTERNS, Worker},
    workspace::directory,
};

/// The service whose policies are tried. Those of the other workers are equal.
const WORKER: &str = "fulfilment";

/// What was found.
pub struct Found {
    /// What the targets follow from, as a table.
    pub targets: String,
    /// What happens, as a table.
    pub figures: String,
    /// The plots, by the names of their files.
    pub plots: Vec<(String, String)>,
}

/// Runs all patterns.
///
/// # Errors
///
/// If a template is wrong.
pub fn find() -> anyhow::Result<Found> {
    let measured = Measured::read()?;
    let infrastructure = Worker::read(&directory("infrastructure"), WORKER)?;
    let copilot = Worker::read(&directory("copilot"), WORKER)?;
    let mut plots = Vec::new();
    for pattern in &PATTERNS {
        let Some(name) = pattern.plot else { continue };
        let plot = page::plot(pattern, &infrastructure.meets(pattern, measured))?;
        plots.push((format!("docs/images/scaling-{name}.svg"), plot));
    }
    Ok(Found {
        targets: targets::table(measured)?,
        figures: page::table(&infrastructure, &copilot, measured),
        plots,
    })
}
