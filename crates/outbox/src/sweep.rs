//! Looks for items whose leases are over, or are about to be.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Announce, Outbox,
    held::Hold,
    lease, random,
    table::{Due, PAGE, Part, millis},
};

/// How often the sweep looks; the jitter keeps processes from sweeping at the same time.
const EVERY_MS: RangeInclusive<u64> = 1_000..=3_000;
/// After how many sweeps it looks whether the outbox is empty.
const SWEEPS: usize = 15;
/// How often it looks into an outbox that was empty. An item is then announced as late as with
/// sweeps every three seconds at most: three seconds after its lease of five is over.
const IDLE_MS: RangeInclusive<u64> = 6_000..=7_800;
/// How often it looks for announced items that nobody reported.
const ANNOUNCED_EVERY_MS: RangeInclusive<u64> = 10_000..=20_000;
/// How long before the end of a lease it is renewed, or the announcement noted: half a second
/// longer than a sweep may be away.
const AHEAD: Duration = Duration::from_millis(3_500);
/// How many shards are swept one after another; more are swept at the same time.
const SHARDS_IN_A_ROW: u32 = 16;
/// How many items are claimed or renewed at the same time.
const AT_ONCE: usize = 8;
/// How many claims of a page may be lost to another process. It is at the same items, so the rest
/// is left to it.
const MAX_LOST: usize = 3;
/// How long a sweep waits for a slot. All are taken while the topic is unavailable.
const SLOT_PATIENCE: Duration = Duration::from_secs(1);
/// How much later another item has to be announced and reported before one counts as lost: SQS
/// does not keep the order.
const OUT_OF_ORDER: Duration = Duration::from_secs(60);

impl<A: Announce> Outbox<A> {
    pub(crate) async fn sweep_forever(&self) {
        let mut announced_at = Instant::now() + random(ANNOUNCED_EVERY_MS);
        loop {
            self.rest_while_empty().await;
            self.look_for_shards().await;
            for _ in 0..SWEEPS {
                self.state.held.forget_old();
                self.sweep_all(Part::Waiting).await;
                if self.awaits_reports && Instant::now() >= announced_at {
                    self.sweep_all(Part::Announced).await;
                    announced_at = Instant::now() + random(ANNOUNCED_EVERY_MS);
                }
                sleep(random(EVERY_MS)).await;
            }
        }
    }

    /// Returns once something is in the outbox. Until then one request looks for all shards and
    /// both parts, instead of one for each; it sees items before they are due. What this process
    /// stores ends the rest, so its leases are kept as ever.
    async fn rest_while_empty(&self) {
        loop {
            match self.table.is_empty().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "cannot look into the outbox");
                    return sleep(random(EVERY_MS)).await;
                }
            }
            self.state.oldest_due.iter().for_each(|oldest| oldest.store(0, Ordering::Relaxed));
            self.state.held.forget_old();
            if timeout(random(IDLE_MS), self.state.stored.notified()).await.is_ok() {
                return sleep(random(EVERY_MS)).await;
            }
        }
    }

    /// Looks whether other processes have begun to store in more shards.
    async fn look_for_shards(&self) {
        if let Err(error) = self.shards.look().await {
            let error = format!("{error:#}");
            tracing::warn!(error, "cannot look for shards of the outbox");
        }
    }

    /// Sweeps every shard, as long as there is more and the sweep makes progress.
    pub(crate) async fn sweep_all(&self, part: Part) {
        self.state.oldest_due[part as usize].store(0, Ordering::Relaxed);
        while self.sweep_once(part).await {}
    }

    /// Sweeps every shard once. True if one has more, and the sweep makes progress.
    async fn sweep_once(&self, part: Part) -> bool {
        let shards = self.shards.known();
        // Processes that sweep at the same time start at different shards.
        let first = rand::random_range(0..shards);
        let (mut more, failed) = (false, AtomicBool::new(false));
        let sweeps = (0..shards)
            // The table is throttled or away: more calls would not help.
            .take_while(|_| !failed.load(Ordering::Relaxed))
            .map(|shard| async move {
                let shard = (first + shard) % shards;
                let swept = match part {
                    Part::Waiting => self.sweep_waiting(shard).await,
                    Part::Announced => self.sweep_announced(shard).await,
                };
                (shard, swept)
            });
        // However many shards there are, a sweep is over before a lease is.
        let at_once = shards.div_ceil(SHARDS_IN_A_ROW) as usize;
        let mut sweeps = stream::iter(sweeps).buffer_unordered(at_once);
        while let Some((shard, swept)) = sweeps.next().await {
            match swept {
                Ok(left) => more |= left,
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(shard, error, "cannot sweep the outbox");
                    failed.store(true, Ordering::Relaxed);
                }
            }
        }
        more && !failed.load(Ordering::Relaxed)
    }

    /// Announces items of a shard whose leases are over, and keeps those that this process has.
    /// True if the shard has more, and the sweep makes progress.
    pub(crate) async fn sweep_waiting(&self, shard: u32) -> anyhow::Result<bool> {
        let now = Timestamp::now();
        let page = self.table.due(shard, Part::Waiting, now + AHEAD).await?;
        let is_full = page.len() == PAGE;
        let (held, others): (Vec<_>, Vec<_>) =
            page.into_iter().partition(|due| self.state.held.get(&due.id).is_some());
        let kept = held.len();
        let keep = stream::iter(held).map(|due| async move { self.keep(due).await });
        keep.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        let over: Vec<_> = others.into_iter().filter(|due| due.due_at() < now).collect();
        if let Some(oldest) = self.note_oldest(Part::Waiting, &over) {
            tracing::info!(
                outbox.shard = shard,
                outbox.overdue = over.len(),
                outbox.oldest_seconds = now.duration_since(oldest).as_secs(),
                "announcing overdue items"
            );
        }
        let claimed = self.claim_all(over).await?;
        Ok(is_full && kept + claimed > 0)
    }

    /// Announces items of a shard again that were announced and not reported: those that are lost,
    /// and the first of all as a probe. True as for [`Outbox::sweep_waiting`].
    pub(crate) async fn sweep_announced(&self, shard: u32) -> anyhow::Result<bool> {
        let page = self.table.due(shard, Part::Announced, Timestamp::now()).await?;
        self.note_oldest(Part::Announced, &page);
        let is_full = page.len() == PAGE;
        let reported = self.state.reported.load(Ordering::Relaxed);
        let is_lost = |due: &Due| {
            let announced_at = due.announced_at.map_or(0, Timestamp::as_millisecond);
            announced_at + millis(OUT_OF_ORDER) < reported
        };
        let mut is_first = true;
        let again = page.into_iter().filter(|due| std::mem::take(&mut is_first) || is_lost(due));
        let again: Vec<_> = again.collect();
        let more = is_full && again.len() == PAGE;
        Ok(self.claim_all(again).await? > 0 && more)
    }

    /// Renews the lease of an item in hand, or notes that it was announced.
    async fn keep(&self, due: Due) -> anyhow::Result<()> {
        let held = &self.state.held;
        match held.get(&due.id) {
            Some(Hold::Announced(at)) => {
                self.note(&due.id, due.shard, at, 0).await?;
                if let Some(stored_at) = held.release(&due.id) {
                    self.state.pace.reported(stored_at);
                }
            }
            Some(Hold::InHand) => {
                let lease = lease();
                if self.table.claim(&due, lease).await? {
                    held.renew(&due.id, lease);
                } else {
                    held.release(&due.id);
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Claims and announces items; returns how many. Stops if another process is at the same ones,
    /// or there is no slot.
    async fn claim_all(&self, mut due: Vec<Due>) -> anyhow::Result<usize> {
        // Another process that sweeps the same page begins elsewhere.
        let start = rand::random_range(0..due.len().max(1));
        due.rotate_left(start);
        let stop = AtomicBool::new(false);
        let claims =
            due.into_iter().take_while(|_| !stop.load(Ordering::Relaxed)).map(|due| async {
                let slot = timeout(SLOT_PATIENCE, self.slot()).await;
                let Ok(slot) = slot else { return anyhow::Ok(None) };
                self.announce_due(slot, due).await.map(Some)
            });
        let (mut claimed, mut lost, mut failure) = (0, 0, None);
        // To the end, because a claim that is cancelled may have been made.
        let mut claims = stream::iter(claims).buffer_unordered(AT_ONCE);
        while let Some(claim) = claims.next().await {
            match claim {
                Ok(Some(true)) => claimed += 1,
                Ok(Some(false)) => lost += 1,
                Ok(None) => lost = MAX_LOST,
                Err(error) => failure = Some(error),
            }
            stop.store(lost >= MAX_LOST || failure.is_some(), Ordering::Relaxed);
        }
        let claimed = if lost >= MAX_LOST { 0 } else { claimed };
        failure.map_or(Ok(claimed), Err)
    }

    /// Notes and returns when the oldest of these items was stored.
    fn note_oldest(&self, part: Part, due: &[Due]) -> Option<Timestamp> {
        let read = due.iter().filter_map(|due| self.announce.read(&due.item).ok());
        let oldest = read.map(|entry| self.announce.key(&entry).stored_at).min()?;
        let (millis, noted) = (oldest.as_millisecond(), &self.state.oldest_due[part as usize]);
        let _ = noted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
            (before == 0 || millis < before).then_some(millis)
        });
        Some(oldest)
    }
}
