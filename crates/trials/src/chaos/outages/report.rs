//! The table, as text and as JSON.

use std::{fmt, path::PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::{cells::Cell, row::Row};
use crate::chaos::options::Options;

/// The results of all cells.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The length of each outage, in seconds.
    outage_seconds: u32,
    /// Orders a second.
    rate: u32,
    /// How many cells there are; if it was interrupted, some have no row.
    cells: usize,
    /// Whether the services were built for speed.
    profile: &'static str,
    /// How long all of it took.
    seconds: u64,
    rows: Vec<Row>,
    #[serde(skip)]
    output: PathBuf,
}

impl Report {
    /// A report of the rows of this many cells, of which the first one may have fair weather.
    pub fn new(options: &Options, cells: usize, seconds: u64, mut rows: Vec<Row>) -> Self {
        let fair = Cell::FAIR.to_string();
        let fair = rows.iter().find(|row| row.cell == fair).map(|row| row.requests_per_order);
        for row in rows.iter_mut().filter(|row| row.accepted > 0) {
            row.extra_requests_per_order = fair.map(|fair| row.requests_per_order - fair);
        }
        Self {
            outage_seconds: options.seconds,
            rate: options.rate,
            cells,
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            seconds,
            rows,
            output: options.output.clone(),
        }
    }

    /// Whether all cells kept their promises.
    pub fn is_kept(&self) -> bool {
        self.rows.iter().all(|row| row.broken.is_empty())
    }

    /// Writes it as JSON.
    pub fn write(&self) -> anyhow::Result<()> {
        let file = self.output.join("outages.json");
        let json = serde_json::to_vec_pretty(self)?;
        std::fs::write(&file, json).with_context(|| format!("writing {}", file.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Row::head())?;
        for row in &self.rows {
            writeln!(f, "{}", row.line())?;
        }
        writeln!(f)?;
        for row in &self.rows {
            for sentence in &row.broken {
                writeln!(f, "{}: {sentence}", row.cell)?;
            }
        }
        let broken = self.rows.iter().filter(|row| !row.broken.is_empty()).count();
        let Self { outage_seconds, rate, cells, profile, seconds, rows, output } = self;
        let (finished, output) = (rows.len(), output.display());
        if finished < *cells {
            writeln!(f, "interrupted: {finished} of {cells} cells finished")?;
        }
        writeln!(f, "{finished} cells, {broken} of them broke a promise; nothing was redriven")?;
        writeln!(f, "{outage_seconds} s of outage, {rate} orders a second, {profile} build")?;
        write!(f, "took {seconds} s; outages.json and a plot of each cell are in {output}")
    }
}
