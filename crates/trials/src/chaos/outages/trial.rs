//! Runs one cell: fair weather, the outage with a kill in its middle, fair weather again. Then it
//! waits until all is done, and audits.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

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
    options::Options,
    row::Row,
    watch::{self, PING_TIMEOUT, Sample, Watch},
};
use crate::chaos::{
    arena::{Arena, VISIBILITY_SECONDS},
    audit::{self, audit},
    customers::Accepted,
    fleet::Fleet,
    keep_logs, quiet,
};

/// How much longer than the visibility timeout it may take to catch up after a short outage: what
/// a killed process held is not redelivered before.
const AFTER_REDELIVERY: Duration = Duration::from_secs(5);
/// When waiting for the end is given up.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The memory of a task, in the manifests.
const MEMORY_MB: f64 = 512.0;

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
    let mut running = Running::start(binaries).await?;
    let watch = Watch::start(&running.arena, &running.ledger, running.fleet.urls().remove(0));
    let outage = Duration::from_secs(options.seconds.into());
    let fair = (outage / 6).max(Duration::from_secs(2));

    let load = Load { seed, rate: options.rate, time: fair + outage + fair };
    let (arena, ledger) = (Arc::clone(&running.arena), Arc::clone(&running.ledger));
    let urls = running.fleet.urls();
    let placing = AbortOnDropHandle::new(tokio::spawn(load::place(load, arena, urls, ledger)));
    board.phase(cell, "fair", None);
    sleep(fair).await;

    let (aws, credentials) = cell.weather(&running.arena.account)?;
    let began = Instant::now();
    let (kill_at, ends_at) = (began + outage / 2, began + outage);
    board.phase(cell, "outage", Some(ends_at));
    running.arena.proxy.set_outages(aws);
    running.credentials.proxy.set_outages(credentials);
    sleep_until(kill_at).await;
    let memory_before = running.fleet.peak_memory_mb();
    running.fleet.kill_one_of_each().await?;
    sleep_until(ends_at).await;
    running.arena.proxy.set_outages(Vec::new());
    running.credentials.proxy.set_outages(Vec::new());

    board.phase(cell, "catches up", None);
    placing.await.context("placing orders")??;
    let left = running.catch_up().await?;
    let memory_mb = running.fleet.peak_memory_mb().into_iter().chain(memory_before);
    let row = Row {
        cell: cell.to_string(),
        memory_mb: memory_mb.reduce(f64::max),
        worst_ping_ms: watch.worst_ping().as_secs_f64() * 1e3,
        ..Row::default()
    };
    let samples = watch.samples();
    drop(watch);
    board.phase(cell, "is audited", None);
    running
        .judge(
            cell,
            options,
            row,
            left,
            Course { outage: [began, kill_at, ends_at], samples, switches: Vec::new() },
        )
        .await
}

impl Running {
    async fn start(binaries: &Path) -> anyhow::Result<Self> {
        let credentials = Credentials::start().await?;
        let mut arena = Arena::set_up(binaries.to_owned(), None).await?;
        arena.credentials = Some(credentials.url());
        let ledger = Arc::new(Ledger::default());
        let (journal, lines) = Journal::keep(Arc::clone(&ledger), arena.lines.clone());
        arena.lines = lines;
        let fleet = Fleet::start(&arena).await?;
        Ok(Self { arena: Arc::new(arena), credentials, fleet, ledger, journal })
    }

    /// Waits until every accepted order is done and nothing is on its way; returns what is left if
    /// it gives up.
    async fn catch_up(&self) -> anyhow::Result<Option<String>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            watch::look(&self.arena, &self.ledger, false).await?;
            let orders = self.ledger.counts();
            let left = orders.accepted - orders.done;
            if left == 0 {
                break;
            }
            if Instant::now() > deadline {
                return Ok(Some(format!("{left} accepted orders are not done")));
            }
            sleep(LOOK_EVERY).await;
        }
        loop {
            let (unannounced, waiting) = quiet::left(&self.arena).await?;
            if unannounced + waiting == 0 {
                return Ok(None);
            }
            if Instant::now() > deadline {
                let left = format!("{unannounced} orders to announce, {waiting} messages");
                return Ok(Some(left));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Stops everything, audits, and fills in the rest of the row.
    async fn judge(
        self,
        cell: Cell,
        options: &Options,
        mut row: Row,
        left: Option<String>,
        mut course: Course,
    ) -> anyhow::Result<Outcome> {
        let Self { arena, credentials, fleet, ledger, journal } = self;
        let counts = arena.proxy.counts();
        row.met = counts.faults.values().chain(credentials.proxy.counts().faults.values()).sum();
        let unclean = fleet.stop().await?;
        course.switches = journal.switches();

        let (accepted, refused) = ledger.by_answer();
        (row.accepted, row.refused) = (accepted.len(), refused.len());
        row.requests_per_order =
            counts.calls.values().sum::<u64>() as f64 / accepted.len().max(1) as f64;
        let orders = with_stored(&arena, accepted, refused).await?;
        row.refused_but_stored = orders.len() - row.accepted;
        let audit = audit(&arena, &orders, unclean).await?;
        row.fulfilled = audit.count(audit::SHOWN_AS_FULFILLED);
        row.coupons = audit.count(audit::COUPONS);
        row.coupons_earned = audit.count(audit::EARN_COUPONS);
        row.announced_again = audit.count(audit::ANNOUNCED_AGAIN);
        row.dead_letters = audit.count(audit::DEAD_LETTERS);
        row.breaker_opened = course.switches.iter().filter(|it| it.is_open).count();
        let ended = course.outage[2].into_std();
        if left.is_none() {
            let last = ledger.last_done(ended);
            let late = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(ended));
            row.caught_up_after_s = Some(late.as_secs_f64());
        }
        row.broken = audit.broken();
        row.broken.extend(
            left.map(|left| format!("{} s after the last order, {left}", PATIENCE.as_secs())),
        );
        row.broken.extend(broken(cell, &row, options));
        if !row.broken.is_empty() {
            let logs = options.output.join(row.cell.replace('/', "-"));
            keep_logs(&arena, Some(logs), false).await?;
        }
        Ok(Outcome { row, course })
    }
}

/// The accepted orders, and those that were refused but had been stored: they are announced and
/// fulfilled as well.
async fn with_stored(
    arena: &Arena,
    mut accepted: Vec<Accepted>,
    refused: Vec<Accepted>,
) -> anyhow::Result<Vec<Accepted>> {
    let stored = audit::column(arena, "publisher", "ORDERS_TABLE_NAME", "id", "amount").await?;
    let stored: BTreeSet<String> = stored.into_keys().collect();
    accepted.extend(refused.into_iter().filter(|order| stored.contains(&order.id.to_string())));
    Ok(accepted)
}

/// The promises beside those of the audit that a cell broke.
fn broken(cell: Cell, row: &Row, options: &Options) -> Vec<String> {
    let mut broken = Vec::new();
    let redelivery = Duration::from_secs(VISIBILITY_SECONDS.into()) + AFTER_REDELIVERY;
    let limit = Duration::from_secs(options.seconds.into()).max(redelivery).as_secs_f64();
    if let Some(late) = row.caught_up_after_s.filter(|late| *late > limit) {
        broken.push(format!("caught up after {late:.1} s, and may take {limit:.0} s"));
    }
    if row.accepted == 0 {
        broken.push("no order was accepted".to_owned());
    }
    let refuses = cell.to_string().ends_with("refused");
    if cell != Cell::FAIR && row.met == 0 && !refuses {
        broken.push("the outage met no call, so the cell says nothing".to_owned());
    }
    let ping_ms = PING_TIMEOUT.as_secs_f64() * 1e3;
    if row.worst_ping_ms >= ping_ms {
        broken.push(format!("the publisher did not answer /ping within {ping_ms:.0} ms"));
    }
    if let Some(memory) = row.memory_mb.filter(|memory| *memory > MEMORY_MB) {
        broken.push(format!("a service used {memory:.0} MB, and has {MEMORY_MB:.0} MB"));
    }
    broken
}

/// The file of a cell in a directory.
pub fn file(directory: &Path, cell: &str, extension: &str) -> PathBuf {
    directory.join(format!("{}.{extension}", cell.replace(['/', ' '], "-")))
}
