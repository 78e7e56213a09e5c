//! Runs one cell: fair weather, the outage with a kill in its middle, fair weather again. Then it
//! waits until all is done.

use std::{path::Path, sync::Arc, time::Duration};

use account::proxy::Plan;
use anyhow::Context as _;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::{
    board::Board,
    cells::Cell,
    credentials::Credentials,
    journal::{Journal, Switch},
    ledger::Ledger,
    load::{self, Load},
    row::Row,
    verdict::{self, Finished},
    watch::{self, Sample, Watch},
};
use crate::chaos::{arena::Arena, fleet::Fleet, options::Options, quiet};

/// When waiting for the end is given up.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The weather is fair for this part of the outage's length before it and after it.
const FAIR_PART: u32 = 6;
const FAIR_AT_LEAST: Duration = Duration::from_secs(2);

/// What a cell measured, and how it went over time.
pub struct Outcome {
    /// The row of the table.
    pub row: Row,
    /// How it went.
    pub course: Course,
}

/// How a cell went over time.
pub struct Course {
    /// The begin, the kill and the end of the outage.
    pub outage: [Instant; 3],
    /// What was seen.
    pub samples: Vec<Sample>,
    /// What the breakers did.
    pub switches: Vec<Switch>,
}

/// What runs in a cell.
struct Running {
    arena: Arc<Arena>,
    credentials: Credentials,
    fleet: Fleet,
    ledger: Arc<Ledger>,
    journal: Journal,
    /// The most memory of the processes that were killed.
    memory_mb: Option<f64>,
}

/// Runs a cell with the services' binaries in `binaries`.
///
/// # Errors
///
/// If it cannot be completed, for example because a service does not start.
pub async fn run(
    cell: Cell,
    seed: u64,
    options: &Options,
    binaries: &Path,
    board: &Board,
) -> anyhow::Result<Outcome> {
    board.phase(cell, "starts", None);
    let mut running = Running::start(binaries, seed).await?;
    let watch = Watch::start(&running.arena, &running.ledger, running.fleet.urls().remove(0));
    let length = Duration::from_secs(options.seconds.into());
    let fair = (length / FAIR_PART).max(FAIR_AT_LEAST);
    let load = Load { seed, rate: options.rate, time: fair + length + fair };
    let placing = running.place(load);
    board.phase(cell, "fair", None);
    sleep(fair).await;

    board.phase(cell, "outage", Some(Instant::now() + length));
    let outage = running.outage(cell, length).await?;
    board.phase(cell, "catches up", None);
    placing.await.context("placing orders")??;
    let left = running.catch_up().await?;

    board.phase(cell, "is audited", None);
    let (samples, worst_ping) = (watch.samples(), watch.worst_ping());
    drop(watch);
    let finished = running.finish(cell, outage[2], left, worst_ping).await?;
    let course = Course { outage, samples, switches: finished.switches.clone() };
    let row = verdict::row(finished, options).await?;
    Ok(Outcome { row, course })
}

impl Running {
    async fn start(binaries: &Path, seed: u64) -> anyhow::Result<Self> {
        let mut arena = Arena::set_up(binaries.to_owned(), Plan { seed, percent: 0 }).await?;
        let credentials = Credentials::start(&arena.account).await?;
        arena.credentials = Some(credentials.proxy.url.clone());
        let ledger = Arc::new(Ledger::default());
        let (journal, lines) = Journal::keep(Arc::clone(&ledger), arena.lines.clone());
        arena.lines = lines;
        let fleet = Fleet::start(&arena).await?;
        let arena = Arc::new(arena);
        Ok(Self { arena, credentials, fleet, ledger, journal, memory_mb: None })
    }

    /// Places orders in the background.
    fn place(&self, load: Load) -> AbortOnDropHandle<anyhow::Result<()>> {
        let (arena, ledger) = (Arc::clone(&self.arena), Arc::clone(&self.ledger));
        let placing = load::place(load, arena, self.fleet.urls(), ledger);
        AbortOnDropHandle::new(tokio::spawn(placing))
    }

    /// Lets the outage happen, with a kill in its middle; returns when it began, the kill, and when
    /// it ended.
    async fn outage(&mut self, cell: Cell, length: Duration) -> anyhow::Result<[Instant; 3]> {
        let (aws, credentials) = cell.weather(&self.arena.account)?;
        let began = Instant::now();
        self.arena.proxy.set_outages(aws);
        self.credentials.proxy.set_outages(credentials);
        sleep_until(began + length / 2).await;
        self.memory_mb = self.fleet.peak_memory_mb();
        let killed = Instant::now();
        self.fleet.kill_one_of_each().await?;
        sleep_until(began + length).await;
        self.arena.proxy.set_outages(Vec::new());
        self.credentials.proxy.set_outages(Vec::new());
        Ok([began, killed, Instant::now()])
    }

    /// Waits until every accepted order is done and nothing is on its way; returns what is left if
    /// it gives up.
    async fn catch_up(&self) -> anyhow::Result<Option<String>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            watch::look(&self.arena, &self.ledger).await?;
            let orders = self.ledger.counts();
            let (unannounced, waiting) = match orders.accepted - orders.done {
                0 => quiet::left(&self.arena).await?,
                _ => (0, 0),
            };
            let pending = orders.accepted - orders.done;
            if pending + unannounced + waiting == 0 {
                return Ok(None);
            }
            if Instant::now() > deadline {
                return Ok(Some(format!(
                    "{} s after the last order, {pending} accepted orders are not done, \
                     {unannounced} are not announced, and {waiting} messages are in the queues",
                    PATIENCE.as_secs()
                )));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Stops all services.
    async fn finish(
        self,
        cell: Cell,
        ended: Instant,
        left: Option<String>,
        worst_ping: Duration,
    ) -> anyhow::Result<Finished> {
        let now = self.fleet.peak_memory_mb();
        let calls = self.arena.proxy.counts();
        let of_credentials = self.credentials.proxy.counts();
        Ok(Finished {
            cell,
            ended: ended.into_std(),
            left,
            worst_ping,
            memory_mb: now.into_iter().chain(self.memory_mb).reduce(f64::max),
            calls: calls.calls.values().sum(),
            met: calls.faults.values().chain(of_credentials.faults.values()).sum(),
            unclean: self.fleet.stop().await?,
            switches: self.journal.switches(),
            arena: self.arena,
            ledger: self.ledger,
        })
    }
}
