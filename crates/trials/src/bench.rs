//! `trials bench`: how fast the shipped binaries are, how much memory, processor time and money
//! they need, and how that scales.
//!
//! The services are processes of their own; the AWS endpoint, the proxy, the load and the baselines
//! run in this process. They all share one machine, so a figure says little about another machine.
//! Ratios of figures to the baselines of the same run say more.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use local::build;

mod orders_in;

mod drain;

mod system;

mod sustained;

mod steady;

mod per_order;

mod allocations;

mod tls;

mod bare;

mod requests;

mod growth;

mod flat;

mod overload;

mod scale;

mod rig;

mod seen;

mod load;

mod stored;

mod consumer;

mod peers;

mod progress;

mod report;

mod page;

pub use requests::Requests;

use consumer::{Consumer, Tuning};
use report::Report;
use rig::Rig;
use scale::{NETWORK, Scale};

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// How many orders a publisher accepts, and how soon
    OrdersIn,
    /// How fast a backlog is handled
    Drain,
    /// Memory, processor time and latency of the whole system
    System,
    /// The rate that lasts for a minute
    Sustained,
    /// Processor time and allocations for an order, with TLS and with telemetry
    PerOrder,
    /// Requests to AWS, and their price
    Requests,
    /// How the rate depends on tasks, sizes, backlog and settings
    Growth,
    /// Whether requests stay as fast with a large table and many streams
    Flat,
    /// What clients get while `DynamoDB` hangs
    Overload,
    /// The worker runtime beside its peers, which are installed first
    Peers,
}

impl Part {
    async fn measure(
        self,
        binaries: &Path,
        scale: Scale,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        match self {
            Self::OrdersIn => orders_in::measure(binaries, scale, report).await,
            Self::Drain => drain::measure(binaries, scale, report).await,
            Self::System => system::measure(binaries, scale, report).await,
            Self::Sustained => sustained::measure(binaries, scale, report).await,
            Self::PerOrder => {
                per_order::measure(binaries, scale, report).await?;
                allocations::measure(scale, report).await
            }
            Self::Requests => requests::measure(binaries, scale, report).await,
            Self::Growth => growth::measure(binaries, scale, report).await,
            Self::Flat => flat::measure(binaries, scale, report).await,
            Self::Overload => overload::measure(binaries, scale, report).await,
            Self::Peers => peers::measure(binaries, scale, report).await,
        }
    }
}

/// Options of `bench`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Takes about a minute: checks that the benchmark works, not how fast the services are
    #[arg(long)]
    pub quick: bool,
    /// Measures only this part
    #[arg(long, value_name = "PART")]
    pub only: Option<Part>,
    /// With `--only sustained`: tries only this rate, in orders a second, with all services
    #[arg(long, requires = "only")]
    pub rate: Option<f64>,
    /// Directory for bench.json, bench.html and the plots
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub output: PathBuf,
}

/// Measures everything, prints the table, and writes it as JSON and as a page. True if no order
/// was lost.
///
/// # Errors
///
/// If the benchmark cannot be completed: a service does not start, or the queues do not become
/// empty.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let started = Instant::now();
    let scale = if args.quick { Scale::QUICK } else { Scale::FULL };
    let scale = Scale { only_rate: args.rate, ..scale };
    let binaries = build::binaries().await?;
    let mut report = Report::new(args.quick);
    for part in Part::value_variants() {
        match args.only {
            None if args.quick && *part == Part::Peers => {
                report.skip("the speed beside peers, which `--only peers` measures");
            }
            Some(only) if only != *part => {}
            _ => part.measure(&binaries, scale, &mut report).await?,
        }
        report.seconds = started.elapsed().as_secs();
        // What was measured so far is kept if the rest is interrupted.
        write(&report, &args.output)?;
    }
    if args.only.is_some() {
        report.skip("everything else, because of `--only`");
    }
    report.sort();
    write(&report, &args.output)?;
    println!("{report}");
    println!("the page with plots is {}", args.output.join("bench.html").display());
    Ok(report.lost == 0)
}

/// Writes the figures as JSON, and with their plots as a page.
fn write(report: &Report, output: &Path) -> anyhow::Result<()> {
    let write = |name: &str, content: Vec<u8>| {
        let path = output.join(name);
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))
    };
    std::fs::create_dir_all(output).with_context(|| format!("creating {}", output.display()))?;
    write("bench.json", serde_json::to_vec_pretty(report)?)?;
    let plots = page::plots(report)?;
    write("bench.html", page::render(report, &plots)?.into_bytes())?;
    for plot in plots {
        write(&format!("{}.svg", plot.name), plot.svg.into_bytes())?;
    }
    Ok(())
}

/// Empties the queue at `QUEUE_URL` with the runtime and a handler that does nothing, until it is
/// killed: our own worker beside the peers.
///
/// # Errors
///
/// If the variable is missing, or the runtime fails.
pub async fn worker() -> anyhow::Result<()> {
    let queue = std::env::var("QUEUE_URL").context("QUEUE_URL is the URL of a queue")?;
    let runtime = Consumer::Runtime(Tuning::default());
    let mut running = runtime.start(&pubsub::aws::config().await, &queue);
    running.join_next().await.context("no consumer")??
}

/// Stores items in the table `TABLE` until it is killed: what a bare call takes.
///
/// # Errors
///
/// If the variable is missing, or a call fails.
pub async fn store() -> anyhow::Result<()> {
    bare::store().await
}

/// The requests to AWS for `orders` orders at load. Builds the services first.
///
/// # Errors
///
/// If a service does not start, the queues do not become empty, or an order is lost.
pub async fn requests_at_load(orders: usize, has_history: bool) -> anyhow::Result<Requests> {
    let (mut report, binaries) = (Report::new(true), build::binaries().await?);
    let rig = match has_history {
        true => Rig::with_history(&binaries, NETWORK).await?,
        false => Rig::set_up(&binaries, NETWORK).await?,
    };
    let requests = requests::at_load(rig, orders, &mut report).await?;
    ensure!(report.lost == 0, "{} orders were lost", report.lost);
    Ok(requests)
}

/// The requests to AWS in a minute without orders, counted for `time`. Builds the services first.
///
/// # Errors
///
/// If a service does not start.
pub async fn requests_when_idle(time: Duration) -> anyhow::Result<f64> {
    requests::when_idle(&build::binaries().await?, time).await
}

/// The requests to AWS for orders of which two hardly ever share a request, sent for `time`. Builds
/// the services first.
///
/// # Errors
///
/// As [`requests_at_load`].
pub async fn requests_with_few(time: Duration) -> anyhow::Result<Requests> {
    let mut report = Report::new(true);
    let requests = requests::with_few(&build::binaries().await?, time, &mut report).await?;
    ensure!(report.lost == 0, "{} orders were lost", report.lost);
    Ok(requests)
}
