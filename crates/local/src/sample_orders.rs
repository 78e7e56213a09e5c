//! `local orders`: sends sample orders to the running system, as other programs would.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::builder::RangedU64ValueParser;
use console::{
    http::Http,
    sample::{self, MAX_OPEN},
};
use jiff::SignedDuration;
use local::running::Running;
use pubsub::{
    env::Misconfigured,
    shutdown::{self, Signals},
};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

const DEFAULT_PAGE: &str = "http://127.0.0.1:5000";
/// How often progress is printed: on a terminal, where it replaces the line before, and elsewhere.
const PROGRESS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// The options of `orders`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many orders to send in a second
    #[arg(long, default_value_t = 5)]
    #[arg(value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000))]
    rate: u32,
    /// For how long, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "1m")]
    duration: SignedDuration,
    /// The port of the page on this machine [default: that of the running system, or 5000]
    #[arg(long, env = "PORT")]
    port: Option<u16>,
}

/// What became of the orders so far.
#[derive(Default)]
struct Count {
    sent: u64,
    accepted: u64,
    failed: u64,
    first_failure: Option<String>,
    answers: Vec<Duration>,
}

/// Sends orders until the time is over or Ctrl-C is pressed, and prints a summary.
///
/// # Errors
///
/// [`Misconfigured`] if nothing answers on the port.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let url = match (args.port, Running::find()) {
        (Some(port), _) => format!("http://127.0.0.1:{port}"),
        (None, Some(running)) => running.with_orders()?.page,
        (None, None) => DEFAULT_PAGE.to_owned(),
    };
    let http = Http::default();
    is_running(&http, &url).await?;
    let Signals { asked, .. } = shutdown::signals()?;
    let started = Instant::now();
    let end = Duration::try_from(args.duration).context("--for is negative")?;
    let mut count = Count::default();
    let mut open = JoinSet::new();
    let mut due = interval(Duration::from_secs(1) / args.rate);
    due.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let is_terminal = std::io::stdout().is_terminal();
    let mut progress = interval(PROGRESS[usize::from(!is_terminal)]);
    progress.reset();
    while started.elapsed() < end && !asked.is_cancelled() {
        tokio::select! {
            () = asked.cancelled() => {}
            _ = due.tick(), if open.len() < MAX_OPEN => {
                count.sent += 1;
                open.spawn(send(http.clone(), url.clone()));
            }
            Some(answer) = open.join_next() => count.add(answer?),
            _ = progress.tick() => count.show(started.elapsed(), is_terminal)?,
        }
    }
    while let Some(answer) = open.join_next().await {
        count.add(answer?);
    }
    count.show(started.elapsed(), is_terminal)?;
    println!("{}", count.summary(&url, is_terminal));
    Ok(if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn is_running(http: &Http, url: &str) -> Result<(), Misconfigured> {
    let ping = format!("{url}/ping");
    if http.ask("GET", &ping, "*/*", String::new()).await.is_ok_and(|(it, _)| it.is_success()) {
        return Ok(());
    }
    Err(Misconfigured(format!(
        "no publisher answers at {url}: start `cargo run -p local`, or name its port with --port"
    )))
}

/// Sends an order, and returns how long the answer took.
async fn send(http: Http, url: String) -> anyhow::Result<Duration> {
    let started = Instant::now();
    sample::send(&http, &url, &sample::total()).await?;
    Ok(started.elapsed())
}

impl Count {
    fn add(&mut self, answer: anyhow::Result<Duration>) {
        match answer {
            Ok(took) => {
                self.accepted += 1;
                self.answers.push(took);
            }
            Err(error) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }

    /// Prints how far it is, on a terminal in place of the line before.
    fn show(&self, elapsed: Duration, is_terminal: bool) -> anyhow::Result<()> {
        let Self { sent, accepted, failed, .. } = self;
        let seconds = elapsed.as_secs();
        let line = format!("{seconds:>4} s: {sent} sent, {accepted} accepted, {failed} failed");
        let mut output = std::io::stdout().lock();
        if is_terminal { write!(output, "\r{line}") } else { writeln!(output, "{line}") }?;
        output.flush().context("printing")
    }

    fn summary(&mut self, url: &str, is_terminal: bool) -> String {
        self.answers.sort_unstable();
        let at = |percent: usize| {
            let index = self.answers.len().saturating_sub(1) * percent / 100;
            self.answers.get(index).map_or(0.0, |it| it.as_secs_f64() * 1_000.0)
        };
        let Self { sent, accepted, failed, .. } = self;
        let mut text = if is_terminal { "\n".to_owned() } else { String::new() };
        text += &format!(
            "{sent} orders: {accepted} accepted, {failed} failed; \
             half were answered within {:.1} ms, 99 % within {:.1} ms",
            at(50),
            at(99)
        );
        if let Some(why) = &self.first_failure {
            text += &format!("\nthe first failure: {why}");
        }
        text + &format!("\n{url}/orders lists the latest")
    }
}
