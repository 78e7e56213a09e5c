//! `trials chaos`: kills services while AWS calls fail, and then checks that no order was lost and
//! that nothing happened twice.
//!
//! The real binaries run against the embedded endpoint, behind a [`proxy`](account::proxy) that
//! makes calls fail. They are killed again and again while customers place orders, who send an
//! order again with the same id until it is accepted; a publisher that starts again stores in
//! another number of shards. Then the faults end. Once all queues are empty, all events are
//! replayed to the workers, as they were once in the middle, and an audit compares the accepted
//! orders with those stored, announced, fulfilled and rewarded. It bypasses the services: it reads
//! the tables, and a queue of its own on the topic.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use account::proxy::{Plan, Proxy};
use local::build;
use tokio::time::interval;

mod args;

mod options;

mod arena;

mod customers;

mod fleet;

mod quiet;

mod replay;

mod audit;

mod shown;

mod outages;

pub use args::Args;

use arena::{Arena, VISIBILITY_SECONDS};
use customers::Progress;
use fleet::{Fleet, Kills};
use replay::Replayed;

/// How often progress is printed to a terminal, and how often to a file.
const TERMINAL_INTERVAL: Duration = Duration::from_secs(1);
const FILE_INTERVAL: Duration = Duration::from_secs(10);

/// Runs the test and prints the result. Fails if something was lost or happened twice.
///
/// # Errors
///
/// If the test cannot be completed: a service does not start, or the queues do not become empty.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.outages {
        return outages::run(args.seed, &args.of_outages).await;
    }
    let started = Instant::now();
    println!(
        "{} orders, seed {}, {} % of AWS calls fail, kills of each service: {}, \
         visibility timeout {VISIBILITY_SECONDS} s",
        args.orders,
        args.seed,
        args.fault_percent,
        args.kills()
    );
    let faults = Plan { seed: args.seed, percent: args.fault_percent };
    let arena = Arena::set_up(build::binaries().await?, faults).await?;
    let mut fleet = Fleet::start(&arena).await?;
    fleet.draw_kills(args);
    let progress = Arc::new(Progress::default());
    let printing = tokio::spawn(print(Arc::clone(&progress), args.orders));

    let placing = customers::place_orders(args, fleet.urls(), Arc::clone(&progress));
    let replaying = replay::halfway(&arena, &progress, args.orders);
    let (accepted, kills, first) = tokio::join!(placing, fleet.kill_during(&progress), replaying);
    let (accepted, mut kills, first) = (accepted?, kills?, first?);
    printing.abort();

    arena.proxy.calm();
    let seconds = started.elapsed().as_secs();
    println!("all orders accepted after {seconds} s; waiting until all queues are empty");
    let mut redriven = quiet::wait(&arena).await?;
    let second = replay::all(&arena).await?;
    redriven += quiet::wait(&arena).await?;
    kills.unclean += fleet.stop().await?;
    let audit = audit::audit(&arena, &accepted, kills.unclean).await?;
    let logs = keep_logs(&arena, args.keep_logs.clone(), audit.passed()).await?;

    println!("\n{}", table(&arena.proxy, kills, redriven, [first, second]));
    println!("{audit}");
    if let Some(logs) = logs {
        println!("the logs of the services are in {}", logs.display());
    }
    println!("took {} s", started.elapsed().as_secs());
    arena.endpoint.stop().await;
    Ok(if audit.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn print(progress: Arc<Progress>, orders: u32) {
    let terminal = std::io::stdout().is_terminal();
    let mut ticks = interval(if terminal { TERMINAL_INTERVAL } else { FILE_INTERVAL });
    loop {
        ticks.tick().await;
        let (accepted, requests) = (progress.accepted(), progress.requests());
        println!("{accepted} of {orders} orders accepted, {requests} requests");
    }
}

async fn keep_logs(
    arena: &Arena,
    wanted: Option<PathBuf>,
    passed: bool,
) -> anyhow::Result<Option<PathBuf>> {
    let directory = match (wanted, passed) {
        (Some(directory), _) => directory,
        (None, true) => return Ok(None),
        (None, false) => std::env::temp_dir().join(format!("chaos-{}", std::process::id())),
    };
    arena.keep_logs(&directory).await?;
    Ok(Some(directory))
}

/// What the system had to survive.
fn table(proxy: &Proxy, kills: Kills, redriven: usize, replayed: [Replayed; 2]) -> String {
    let counts = proxy.counts();
    let calls: u64 = counts.calls.values().sum();
    let mut table = format!("{:<50}{calls:>8}\n", "AWS calls");
    for (fault, count) in &counts.faults {
        table += &format!("  {fault:<48}{count:>8}\n");
    }
    for (row, count) in [
        ("kills with SIGTERM", kills.sigterm),
        ("kills with SIGKILL", kills.sigkill),
        ("dead letters redriven", redriven),
    ] {
        table += &format!("{row:<50}{count:>8}\n");
    }
    for (when, Replayed { events, took }) in ["halfway", "at the end"].into_iter().zip(replayed) {
        let rate = events as f64 / took.as_secs_f64();
        let row = format!("events replayed {when}, {rate:.0} a second");
        table += &format!("{row:<50}{events:>8}\n");
    }
    table
}
