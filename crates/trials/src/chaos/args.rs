//! The options of `chaos`.

use std::path::PathBuf;

use super::options::Options;

/// A default of one kill for this many orders.
const ORDERS_PER_KILL: usize = 500;

/// Options of `chaos`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Number of orders to place
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub orders: u32,
    /// Seed of the orders, faults and kills: the same seed gives the same ones
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Percentage of AWS calls that fail
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=90))]
    pub fault_percent: u8,
    /// How often each service is killed [default: once for every 500 orders]
    #[arg(long)]
    pub kills: Option<usize>,
    /// Number of orders that are placed at the same time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: u32,
    /// Directory for the logs of the services [default: none, or a temporary one if a check fails]
    #[arg(long, value_name = "DIR")]
    pub keep_logs: Option<PathBuf>,
    /// Instead, let one part of AWS after the other fail for a while, in each way that makes sense
    #[arg(long)]
    #[arg(conflicts_with_all = ["orders", "fault_percent", "kills", "concurrency", "keep_logs"])]
    pub outages: bool,
    /// The options of that.
    #[command(flatten)]
    pub of_outages: Options,
}

impl Args {
    /// How often each service is killed.
    pub fn kills(&self) -> usize {
        self.kills.unwrap_or((self.orders as usize / ORDERS_PER_KILL).max(1))
    }
}
