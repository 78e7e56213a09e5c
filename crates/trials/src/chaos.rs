//! `local chaos`: breaks everything at once, and then counts whether anything was lost.
//!
//! The real binaries run against the embedded endpoint behind a [`proxy`](account::proxy) that fails,
//! and are killed again and again, while orders are placed as a person would: sent again with the
//! same id until they are accepted. Then the faults end. When all is quiet, an audit compares what
//! was accepted with what is stored, announced, fulfilled and rewarded. It counts at the endpoint,
//! past the services: the tables, and a queue of its own on the topic.

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use account::{
    endpoint::{self, Endpoint},
    provision::{Account, Target, provision},
    proxy::{Conditions, Plan, Proxy},
};
use anyhow::Context as _;
use aws_sdk_sqs::types::QueueAttributeName;
use local::{build, dead_letters::DeadLetters, log::Log, process::Line};
use tokio::time::{interval, sleep};

mod audit;

mod kills;

mod load;

mod quiet;

use kills::Fleet;
use load::Progress;

/// How long a received message is hidden here: less than in the manifests, so that what a killed
/// worker held comes back soon. The runtime's shortest.
const VISIBILITY_SECONDS: u32 = 10;
/// One kill of each service for so many orders.
const ORDERS_PER_KILL: usize = 500;
/// How often a person sees how it goes, and how often a file does.
const TERMINAL_INTERVAL: Duration = Duration::from_secs(1);
const PIPE_INTERVAL: Duration = Duration::from_secs(10);

/// What `chaos` can be told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How many orders are placed
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub orders: u32,
    /// The same seed gives the same orders, faults and kills
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many AWS calls of a hundred fail
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=90))]
    pub fault_percent: u8,
    /// How often each service is killed [default: once every 500 orders]
    #[arg(long)]
    pub kills: Option<usize>,
    /// How many orders are placed at the same time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: u32,
    /// Where to keep what the services logged
    #[arg(long, value_name = "DIR")]
    pub keep_logs: Option<PathBuf>,
}

/// Runs it, and prints what it comes to. True if nothing was lost and nothing happened twice.
///
/// # Errors
///
/// If it cannot be carried through: a service that does not start, a system that is never quiet.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let started = Instant::now();
    let kills = args.kills.unwrap_or((args.orders as usize / ORDERS_PER_KILL).max(1));
    println!(
        "{} orders, seed {}, {} % faulty calls, {kills} kills of each service; \
         messages are hidden for {VISIBILITY_SECONDS} s",
        args.orders, args.seed, args.fault_percent
    );
    let stage = Stage::set(args).await?;
    let progress = Arc::new(Progress::default());
    let mut fleet = Fleet::start(&stage, kills, args).await?;
    let reporter = tokio::spawn(report(Arc::clone(&progress), args.orders));

    let loaded = load::place_orders(args, fleet.urls(), Arc::clone(&progress));
    let (accepted, killed) = tokio::join!(loaded, fleet.kill_by(&progress));
    let (accepted, mut killed) = (accepted?, killed?);
    reporter.abort();

    stage.proxy.calm();
    println!("all orders are accepted after {} s; waiting for quiet", started.elapsed().as_secs());
    let redriven = quiet::wait(&stage).await?;
    let unclean = fleet.stop(&mut killed).await?;
    let audit = audit::audit(&stage, &accepted, unclean).await?;
    let logs = keep_logs(&stage, args.keep_logs.clone(), audit.passed()).await?;

    println!("\n{}", proxy_table(&stage.proxy, &killed, redriven));
    println!("{audit}");
    if let Some(logs) = logs {
        println!("what the services logged is in {}", logs.display());
    }
    println!("took {} s", started.elapsed().as_secs());
    stage.endpoint.stop().await;
    Ok(audit.passed())
}

/// All that the run happens on.
struct Stage {
    endpoint: Endpoint,
    /// The endpoint itself, for provisioning and auditing.
    target: Target,
    account: Account,
    proxy: Proxy,
    log: Log,
    lines: tokio::sync::mpsc::UnboundedSender<Line>,
    binaries: PathBuf,
    /// Gets a copy of everything that is announced.
    audit_queue: String,
}

impl Stage {
    async fn set(args: &Args) -> anyhow::Result<Self> {
        let binaries = build::binaries().await?;
        let endpoint = endpoint::start(&endpoint::Settings::loopback(0)).await?;
        let target = Target { endpoint_url: endpoint.url.clone(), region: endpoint::region() };
        let account = provision(&build::copilot_directory(), &target).await?;
        let proxy = Proxy::start(
            &endpoint.url,
            Conditions {
                faults: Some(Plan { seed: args.seed, percent: args.fault_percent }),
                ..Conditions::default()
            },
        )
        .await?;
        let aws = target.config().await;
        let sqs = aws_sdk_sqs::Client::new(&aws);
        for queue in account.services.iter().filter_map(|service| service.queue.as_ref()) {
            let visibility = VISIBILITY_SECONDS.to_string();
            sqs.set_queue_attributes()
                .queue_url(&queue.url)
                .attributes(QueueAttributeName::VisibilityTimeout, visibility)
                .send()
                .await
                .context("shortening the visibility timeout")?;
        }
        let audit_queue = audit::subscribe(&aws, &account).await?;
        let (log, lines) = Log::new();
        Ok(Self { endpoint, target, account, proxy, log, lines, binaries, audit_queue })
    }
}

impl Stage {
    /// The dead-letter queues.
    async fn dead_letters(&self) -> Vec<DeadLetters> {
        let sqs = aws_sdk_sqs::Client::new(&self.target.config().await);
        let queues = self.account.services.iter().filter_map(|service| service.queue.as_ref());
        let with_dead_letters = queues.filter_map(|queue| {
            let url = queue.dead_letter_url.clone()?;
            Some(DeadLetters::new(sqs.clone(), url, queue.url.clone()))
        });
        with_dead_letters.collect()
    }

    /// The table whose name `service` finds in `variable`.
    fn table(&self, service: &str, variable: &str) -> anyhow::Result<&str> {
        let found = self.account.service(service);
        found.with_context(|| format!("there is no service {service}"))?.variable(variable)
    }
}

async fn report(progress: Arc<Progress>, orders: u32) {
    let terminal = std::io::stdout().is_terminal();
    let mut ticks = interval(if terminal { TERMINAL_INTERVAL } else { PIPE_INTERVAL });
    loop {
        ticks.tick().await;
        println!("{} of {orders} orders accepted, {} tries", progress.accepted(), progress.tries());
    }
}

async fn keep_logs(
    stage: &Stage,
    wanted: Option<PathBuf>,
    passed: bool,
) -> anyhow::Result<Option<PathBuf>> {
    let directory = match (wanted, passed) {
        (Some(directory), _) => directory,
        (None, true) => return Ok(None),
        (None, false) => std::env::temp_dir().join(format!("chaos-{}", std::process::id())),
    };
    tokio::fs::create_dir_all(&directory).await?;
    for service in stage.account.services.iter().map(|service| &service.name) {
        let path = directory.join(format!("{service}.log"));
        tokio::fs::write(path, stage.log.of(service).join("\n")).await?;
    }
    Ok(Some(directory))
}

fn proxy_table(proxy: &Proxy, kills: &BTreeMap<&'static str, usize>, redriven: usize) -> String {
    let counts = proxy.counts();
    let calls: u64 = counts.calls.values().sum();
    let mut table = format!("{:<28}{calls:>8}\n", "AWS calls");
    for (kind, count) in &counts.faults {
        table += &format!("  {kind:<26}{count:>8}\n");
    }
    for (kind, count) in kills {
        table += &format!("{kind:<28}{count:>8}\n");
    }
    table + &format!("{:<28}{redriven:>8}\n", "dead letters, redriven")
}

/// A pause that no test waits for: only between looks at a system that is not ours to hear from.
async fn pause() {
    sleep(Duration::from_millis(500)).await;
}
