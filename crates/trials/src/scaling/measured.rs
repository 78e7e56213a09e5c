//! What a task was measured to do, which the targets of the scaling follow from.

use anyhow::Context as _;

use super::workspace::directory;

/// A task has a quarter of a processor.
const PART_OF_A_PROCESSOR: f64 = 0.25;
/// The benchmark has no TLS and runs on another machine: AWS is assumed to take twice as long.
const SLOWER: f64 = 2.0;

/// The time of a processor that an order takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// At the publisher, in microseconds.
    pub publisher_micros: f64,
    /// At fulfilment, in microseconds.
    pub fulfilment_micros: f64,
}

impl Measured {
    /// What `docs/performance.md` says.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn read() -> anyhow::Result<Self> {
        let file = directory("docs").join("performance.md");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let row = text.lines().find(|line| line.starts_with("| processor time for an order:"));
        let figures = row.and_then(|row| row.split('|').nth(2)).map(|it| it.replace("µs", ""));
        let figures: Vec<f64> = (figures.unwrap_or_default().split(','))
            .filter_map(|it| it.trim().parse().ok())
            .collect();
        let [publisher_micros, fulfilment_micros, _] = figures[..] else {
            anyhow::bail!("{}: no processor time for an order", file.display());
        };
        Ok(Self { publisher_micros, fulfilment_micros })
    }

    /// The time that a task takes for what was measured to take `micros`.
    pub fn seconds(micros: f64) -> f64 {
        micros / 1e6 / PART_OF_A_PROCESSOR * SLOWER
    }

    /// What a task does in a minute, if one takes `micros`.
    pub fn in_a_minute(micros: f64) -> f64 {
        60.0 / Self::seconds(micros)
    }
}
