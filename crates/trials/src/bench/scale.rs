//! How much is measured.

use std::time::Duration;

/// The delay of each AWS call where a network is simulated: about a round trip within a region.
pub const NETWORK: Duration = Duration::from_millis(5);

/// The size of each measurement.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The time for which orders are sent, in seconds.
    pub load_seconds: u64,
    /// The first rate that is tried, in orders a second.
    pub first_rate: f64,
    /// The only rate that is tried.
    pub only_rate: Option<f64>,
    /// How long each rate is tried, and how long the highest has to hold, in seconds.
    pub step_seconds: u64,
    pub sustained_seconds: u64,
    /// The longest that a queue is drained, in seconds.
    pub drain_seconds: u64,
    /// The number of messages in a queue before it is drained.
    pub backlog: usize,
    /// The longest backlog, in messages.
    pub long_backlog: usize,
    /// The most orders in the table, and the most open streams.
    pub table: usize,
    pub streams: usize,
    /// The number of orders to place at full speed: those of an hour at ten a second.
    pub hour: usize,
    /// The number of orders for which requests are counted.
    pub counted: usize,
    /// How long an idle system is observed.
    pub idle: Duration,
    /// How often each service is started.
    pub starts: usize,
    /// How long DynamoDB hangs, and how many orders a second are sent meanwhile: ten times what
    /// autoscaling lets a task take, or what a debug build on a busy machine takes.
    pub hang: Duration,
    pub hang_rate: f64,
}

impl Scale {
    /// For figures.
    pub const FULL: Self = Self {
        load_seconds: 4,
        first_rate: 800.0,
        only_rate: None,
        step_seconds: 10,
        sustained_seconds: 60,
        drain_seconds: 5,
        backlog: 20_000,
        long_backlog: 1_000_000,
        table: 1_000_000,
        streams: 1_000,
        hour: 36_000,
        counted: 2_000,
        // Three long polls.
        idle: Duration::from_secs(60),
        starts: 9,
        hang: Duration::from_secs(120),
        hang_rate: 600.0,
    };
    /// For a check that the benchmark works.
    pub const QUICK: Self = Self {
        load_seconds: 1,
        // What a debug build on a busy machine takes.
        first_rate: 50.0,
        only_rate: None,
        step_seconds: 1,
        sustained_seconds: 2,
        drain_seconds: 1,
        backlog: 1_000,
        long_backlog: 5_000,
        table: 2_000,
        streams: 100,
        hour: 1_000,
        counted: 400,
        idle: Duration::from_secs(3),
        starts: 3,
        hang: Duration::from_secs(5),
        hang_rate: 60.0,
    };
}
