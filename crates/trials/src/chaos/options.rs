//! The options of `chaos --outages`.

use std::path::PathBuf;

/// Options of `chaos --outages`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// How long each outage lasts, in seconds
    #[arg(long, default_value_t = 30, requires = "outages")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    pub seconds: u32,
    /// How many orders a second are placed in each cell
    #[arg(long, default_value_t = 50, requires = "outages")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// Only cells whose name contains this, such as coupons-table or everything/hanging; may be
    /// repeated
    #[arg(long, value_name = "PART", requires = "outages")]
    pub only: Vec<String>,
    /// How many cells run at the same time [default: two for each core, or one for two cores with a
    /// debug build]
    #[arg(long, requires = "outages")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    side_by_side: Option<u32>,
    /// Directory for outages.json, the plots, and the logs of cells that break a promise
    #[arg(long, value_name = "DIR", default_value = "target/outages", requires = "outages")]
    pub output: PathBuf,
}

impl Options {
    /// How many cells run at the same time.
    pub fn side_by_side(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // A debug build needs some 30 ms of processor time for an order, a release build 3 ms.
        let default = if cfg!(debug_assertions) { cores.div_ceil(2) } else { 2 * cores };
        self.side_by_side.map_or(default, |wanted| wanted as usize)
    }
}
