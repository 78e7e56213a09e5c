//! `trials bench`: how fast the shipped binaries are, how much memory, processor time and money
//! they need, and how that scales.
//!
//! The services are processes of their own; the AWS endpoint, the proxy, the load and the baselines
//! run in this process. They all share one machine, so a figure says little about another machine.
//! Ratios of figures to the baselines of the same run say more.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
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

mod overload;

mod scale;

mod rig;

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

/// Options of `bench`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Takes about a minute: checks that the benchmark works, not how fast the services are
    #[arg(long)]
    pub quick: bool,
    /// Only compares the worker runtime with its peers, which are installed first
    #[arg(long)]
    pub peers: bool,
    /// Only measures what clients get while DynamoDB hangs
    #[arg(long, conflicts_with = "peers")]
    pub overload: bool,
    /// Only measures the rate that lasts
    #[arg(long, conflicts_with_all = ["peers", "overload"])]
    pub sustained: bool,
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
    let binaries = build::binaries().await?;
    let mut report = Report::new(args.quick);
    let only = args.peers || args.overload || args.sustained;
    if args.sustained || !only {
        sustained::measure(&binaries, scale, &mut report).await?;
        per_order::measure(&binaries, scale, &mut report).await?;
        allocations::measure(&binaries, scale, &mut report).await?;
    }
    if !only {
        orders_in::measure(&binaries, scale, &mut report).await?;
        drain::measure(&binaries, scale, &mut report).await?;
        system::measure(&binaries, scale, &mut report).await?;
        requests::measure(&binaries, scale, &mut report).await?;
        growth::measure(&binaries, scale, &mut report).await?;
    }
    if args.overload || !only {
        overload::measure(&binaries, scale, &mut report).await?;
    }
    if args.overload || args.sustained {
        report.skip("everything else: only one part was asked for");
    } else if args.peers || !args.quick {
        peers::measure(&binaries, scale, &mut report).await?;
    } else {
        report.skip("the speed beside peers, which `--peers` measures");
    }
    report.sort();
    report.seconds = started.elapsed().as_secs();

    println!("{report}");
    let output = &args.output;
    let write = |name: &str, content: Vec<u8>| {
        let path = output.join(name);
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))
    };
    std::fs::create_dir_all(output).with_context(|| format!("creating {}", output.display()))?;
    write("bench.json", serde_json::to_vec_pretty(&report)?)?;
    let plots = page::plots(&report)?;
    write("bench.html", page::render(&report, &plots)?.into_bytes())?;
    for plot in plots {
        write(&format!("{}.svg", plot.name), plot.svg.into_bytes())?;
    }
    println!("the page with plots is {}", output.join("bench.html").display());
    Ok(report.lost == 0)
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
