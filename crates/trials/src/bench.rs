//! `local bench`: how fast the shipped binaries are, how lean, how cheap, and how they grow.
//!
//! The services run as processes of their own; the AWS endpoint, the proxy, the load and the
//! baselines run in this one. All of them share the machine, so a figure by itself says little
//! about another machine. What holds is the ratio of a figure to the baselines of the same run.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use local::build;

mod orders_in;

mod drain;

mod system;

mod requests;

mod growth;

mod stage;

mod load;

mod consumer;

mod usage;

mod report;

mod page;

use report::Report;
pub use requests::Requests;

/// What a call to AWS takes longer over the network that is played here: about a round trip within
/// a region.
const NETWORK: Duration = Duration::from_millis(5);

/// What `bench` can be told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Measures for about a minute: whether it works, rather than how fast
    #[arg(long)]
    quick: bool,
    /// Where bench.json, bench.html and the plots go
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    output: PathBuf,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// How long a load lasts, in seconds.
    load_seconds: u64,
    /// How long a drain lasts at most, in seconds.
    drain_seconds: u64,
    /// How many messages wait before a drain.
    backlog: usize,
    /// How many orders are placed at full speed: those of an hour at ten a second.
    hour: usize,
    /// For how many orders requests are counted.
    counted: usize,
    /// How long an idle system is watched.
    idle: Duration,
    /// How often a start is repeated.
    starts: usize,
}

impl Scale {
    const FULL: Self = Self {
        load_seconds: 4,
        drain_seconds: 5,
        backlog: 20_000,
        hour: 36_000,
        counted: 2_000,
        // Three long polls.
        idle: Duration::from_secs(60),
        starts: 9,
    };
    const QUICK: Self = Self {
        load_seconds: 1,
        drain_seconds: 1,
        backlog: 1_000,
        hour: 1_000,
        counted: 400,
        idle: Duration::from_secs(3),
        starts: 3,
    };
}

/// Measures everything, prints the table, and writes it as JSON and as a page. True if no order
/// was lost.
///
/// # Errors
///
/// If it cannot be carried through: a service that does not start, a system that is never quiet.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let started = Instant::now();
    let scale = if args.quick { Scale::QUICK } else { Scale::FULL };
    let binaries = build::binaries().await?;
    let mut report = Report::new(args.quick);
    orders_in::measure(&binaries, scale, &mut report).await?;
    drain::measure(&binaries, scale, &mut report).await?;
    system::measure(&binaries, scale, &mut report).await?;
    requests::measure(&binaries, scale, &mut report).await?;
    growth::measure(&binaries, scale, &mut report).await?;
    report.sort();
    report.seconds = started.elapsed().as_secs();

    println!("{report}");
    let output = &args.output;
    let write = |name: &str, content: Vec<u8>| {
        let path = output.join(name);
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))
    };
    std::fs::create_dir_all(output).with_context(|| format!("making {}", output.display()))?;
    write("bench.json", serde_json::to_vec_pretty(&report)?)?;
    let plots = page::plots(&report)?;
    write("bench.html", page::render(&report, &plots)?.into_bytes())?;
    for plot in plots {
        write(&format!("{}.svg", plot.name), plot.svg.into_bytes())?;
    }
    println!("as a page with plots: {}", output.join("bench.html").display());
    Ok(report.lost == 0)
}

/// The requests that each of `orders` orders takes at load; the services' binaries are built.
///
/// # Errors
///
/// If the system cannot be started, is never quiet, or loses an order.
pub async fn requests_at_load(orders: usize) -> anyhow::Result<Requests> {
    let mut report = Report::new(true);
    let requests = requests::at_load(&build::binaries().await?, orders, &mut report).await?;
    anyhow::ensure!(report.lost == 0, "{} orders were lost", report.lost);
    Ok(requests)
}

/// Says what is measured now.
fn tell(what: &str) {
    anstream::eprintln!("measuring {what}");
}
