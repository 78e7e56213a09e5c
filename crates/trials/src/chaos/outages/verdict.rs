//! Audits a cell that is finished, and says which promises it broke.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{cells::Cell, journal::Switch, ledger::Ledger, row::Row, watch::PING_TIMEOUT};
use crate::chaos::{
    arena::{Arena, VISIBILITY_SECONDS},
    audit::{self, audit},
    customers::Accepted,
    options::Options,
};

/// How much longer than the visibility timeout it may take to catch up after a short outage: what
/// a killed process held is not redelivered before.
const AFTER_REDELIVERY: Duration = Duration::from_secs(5);
/// The memory of a task, in the manifests.
const MEMORY_MB: f64 = 512.0;

/// What is known of a cell after its services were stopped.
pub struct Finished {
    /// Which one.
    pub cell: Cell,
    /// When the outage ended.
    pub ended: Instant,
    /// What was left when waiting was given up.
    pub left: Option<String>,
    /// The longest time that the publisher took to answer `/ping`.
    pub worst_ping: Duration,
    /// The most memory of a process.
    pub memory_mb: Option<f64>,
    /// Requests to AWS.
    pub calls: u64,
    /// Calls and connections that the outage met.
    pub met: u64,
    /// Processes that did not exit cleanly.
    pub unclean: usize,
    /// What the breakers did.
    pub switches: Vec<Switch>,
    /// The account and the logs.
    pub arena: Arc<Arena>,
    /// The orders.
    pub ledger: Arc<Ledger>,
}

/// Audits a cell.
///
/// # Errors
///
/// If the tables cannot be read, or the logs not written.
pub async fn row(finished: Finished, options: &Options) -> anyhow::Result<Row> {
    let Finished { cell, ended, left, arena, ledger, .. } = finished;
    let (accepted, refused) = ledger.by_answer();
    let (count, refused_count) = (accepted.len(), refused.len());
    let orders = with_stored(&arena, accepted, refused).await?;
    let audit = audit(&arena, &orders, finished.unclean).await?;
    let late = ledger.last_done(ended).map(|last| last.saturating_duration_since(ended));
    let caught_up = left.is_none().then(|| late.unwrap_or_default());
    let mut row = Row {
        cell: cell.to_string(),
        accepted: count,
        refused: refused_count,
        refused_but_stored: orders.len() - count,
        fulfilled: audit.count(audit::SHOWN_AS_FULFILLED),
        coupons: audit.count(audit::COUPONS),
        coupons_earned: audit.count(audit::EARN_COUPONS),
        announced_again: audit.count(audit::ANNOUNCED_AGAIN),
        dead_letters: audit.count(audit::DEAD_LETTERS),
        caught_up_after_s: caught_up.map(|late| late.as_secs_f64()),
        requests_per_order: finished.calls as f64 / count.max(1) as f64,
        extra_requests_per_order: None,
        met: finished.met,
        memory_mb: finished.memory_mb,
        worst_ping_ms: finished.worst_ping.as_secs_f64() * 1e3,
        breaker_opened: finished.switches.iter().filter(|it| it.is_open).count(),
        broken: audit.broken(),
    };
    row.broken.extend(left);
    row.broken.extend(broken(cell, &row, options.seconds));
    if !row.broken.is_empty() {
        arena.keep_logs(&options.output.join(row.file())).await?;
    }
    Ok(row)
}

/// The accepted orders, and those that were refused but had been stored: they are announced and
/// fulfilled as well.
async fn with_stored(
    arena: &Arena,
    mut accepted: Vec<Accepted>,
    refused: Vec<Accepted>,
) -> anyhow::Result<Vec<Accepted>> {
    let stored = audit::stored(arena).await?;
    let stored: BTreeSet<String> = stored.into_keys().collect();
    accepted.extend(refused.into_iter().filter(|order| stored.contains(&order.id.to_string())));
    Ok(accepted)
}

/// The promises beside those of the audit that a cell broke.
fn broken(cell: Cell, row: &Row, outage_seconds: u32) -> Vec<String> {
    let mut broken = Vec::new();
    let redelivery = Duration::from_secs(VISIBILITY_SECONDS.into()) + AFTER_REDELIVERY;
    let limit = Duration::from_secs(outage_seconds.into()).max(redelivery).as_secs_f64();
    if let Some(late) = row.caught_up_after_s.filter(|late| *late > limit) {
        broken.push(format!("caught up after {late:.1} s, and may take {limit:.0} s"));
    }
    if row.accepted == 0 {
        broken.push("no order was accepted".to_owned());
    }
    if cell.is_counted() && row.met == 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What this row breaks in an outage of 30 s.
    fn broken_by(change: impl FnOnce(&mut Row)) -> String {
        let cell = Cell::outages().next().unwrap();
        let late = Some(30.0);
        let mut row = Row { accepted: 1, met: 1, caught_up_after_s: late, ..Row::default() };
        change(&mut row);
        broken(cell, &row, 30).join("; ")
    }

    #[test]
    fn each_promise_that_a_cell_breaks_is_a_sentence() {
        assert_eq!(broken_by(|_| {}), "");
        let late = broken_by(|row| row.caught_up_after_s = Some(30.1));
        assert_eq!(late, "caught up after 30.1 s, and may take 30 s");
        assert_eq!(broken_by(|row| row.accepted = 0), "no order was accepted");
        assert!(broken_by(|row| row.met = 0).contains("met no call"));
        assert!(broken_by(|row| row.worst_ping_ms = 5_000.0).contains("/ping within 5000 ms"));
        assert!(broken_by(|row| row.memory_mb = Some(513.0)).contains("used 513 MB"));
    }

    #[test]
    fn after_a_short_outage_what_a_killed_process_held_may_be_redelivered_first() {
        let row = Row { accepted: 1, caught_up_after_s: Some(15.0), ..Row::default() };
        assert!(broken(Cell::FAIR, &row, 5).is_empty());
        let row = Row { caught_up_after_s: Some(15.1), ..row };
        assert_eq!(broken(Cell::FAIR, &row, 5).len(), 1);
    }
}
