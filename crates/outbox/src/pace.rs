//! Whether announcements keep pace with what is stored.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Notify, time::timeout};

/// How late announcements may be while accepting goes first. A rush that is over by then delays no
/// customer.
const ACCEPT_FIRST: Duration = Duration::from_millis(250);
/// How late they may be before those who store items wait: soon enough that what is under way is
/// announced within a second.
const LATE: Duration = Duration::from_millis(500);
/// The longest that somebody waits who is to store an item.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the process that stored an item has the lease, while reports come in time.
pub const FIRST_LEASE: Duration = Duration::from_secs(5);
/// How long it has the lease while reports are late.
const LONG_LEASE: Duration = Duration::from_secs(20);
/// How long after it was stored an item's first report is late. Announcements of this age are not
/// noted yet.
const REPORT_LATE: Duration = Duration::from_secs(1);

/// How busy the process is, and how late it is with its announcements.
#[derive(Debug, Default)]
pub struct Pace {
    /// Whether the process is nearly always busy. If not, something else holds it up: making others
    /// wait would not help.
    saturated: AtomicBool,
    /// When the new item was stored that is announced next: milliseconds; 0 without one.
    next: AtomicI64,
    /// Notified when announcements are no longer late.
    caught_up: Notify,
    /// Whether the latest first report of an item was late.
    reports_late: AtomicBool,
}

impl Pace {
    /// The new item that is announced next was stored at this time; `None` if none waits.
    pub fn next(&self, stored_at: Option<Timestamp>) {
        self.next.store(stored_at.map_or(0, Timestamp::as_millisecond), Ordering::Relaxed);
        self.look();
    }

    /// Whether the process was nearly always busy of late.
    pub fn set_saturated(&self, saturated: bool) {
        self.saturated.store(saturated, Ordering::Relaxed);
        self.look();
    }

    /// Whether announcing is to leave the processor to those who accept items.
    pub fn accepts_first(&self) -> bool {
        self.saturated.load(Ordering::Relaxed) && self.late() < ACCEPT_FIRST
    }

    /// Returns once announcements are in time, or `PATIENCE` is over, or `excused` says that they
    /// are late for another reason.
    pub async fn keep(&self, excused: impl Fn() -> bool) {
        let caught_up = self.caught_up.notified();
        if self.is_behind() && !excused() {
            let _ = timeout(PATIENCE, caught_up).await;
        }
    }

    /// The first report came in of an item that was stored at this time, or did not come so far.
    pub fn reported(&self, stored_at: Timestamp) {
        let late = stored_at <= Timestamp::now() - REPORT_LATE;
        self.reports_late.store(late, Ordering::Relaxed);
    }

    /// How long the lease has to be with which an item is stored. A note for each item whose report
    /// is late would add to the work of a system that is behind already.
    pub fn first_lease(&self) -> Duration {
        if self.reports_late.load(Ordering::Relaxed) { LONG_LEASE } else { FIRST_LEASE }
    }

    fn is_behind(&self) -> bool {
        self.saturated.load(Ordering::Relaxed) && self.late() >= LATE
    }

    /// Lets those go on who wait, unless announcements are late.
    fn look(&self) {
        if !self.is_behind() {
            self.caught_up.notify_waiters();
        }
    }

    /// How late the next announcement is.
    fn late(&self) -> Duration {
        let next = self.next.load(Ordering::Relaxed);
        if next == 0 {
            return Duration::ZERO;
        }
        let late = Timestamp::now().as_millisecond() - next;
        Duration::from_millis(late.try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn ago(late: Duration) -> Option<Timestamp> {
        Some(Timestamp::now() - late)
    }

    fn waits(pace: &Pace) -> bool {
        pace.keep(|| false).now_or_never().is_none()
    }

    #[tokio::test]
    async fn who_stores_items_waits_while_a_busy_process_is_late_with_its_announcements() {
        let pace = Pace::default();
        pace.set_saturated(true);
        assert!(!waits(&pace), "nothing is to be announced");
        pace.next(ago(LATE / 2));
        assert!(!waits(&pace), "in time");
        pace.next(ago(2 * LATE));
        assert!(waits(&pace));
        pace.set_saturated(false);
        assert!(!waits(&pace), "it is late, but has time");
    }

    #[tokio::test]
    async fn nobody_waits_while_the_topic_is_unavailable() {
        let pace = Pace::default();
        pace.set_saturated(true);
        pace.next(ago(2 * LATE));
        assert!(pace.keep(|| true).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_go_on_once_it_has_caught_up_and_otherwise_after_a_second() {
        let pace = Pace::default();
        pace.set_saturated(true);
        pace.next(ago(2 * LATE));
        let (mut one, mut other) = (Box::pin(pace.keep(|| false)), Box::pin(pace.keep(|| false)));
        assert!((&mut one).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        pace.next(None);
        assert!((&mut one).now_or_never().is_some() && (&mut other).now_or_never().is_some());

        pace.next(ago(2 * LATE));
        let began = tokio::time::Instant::now();
        pace.keep(|| false).await;
        assert!(began.elapsed() <= PATIENCE + Duration::from_millis(1));
    }

    #[test]
    fn accepting_goes_first_until_announcements_are_a_little_late() {
        let pace = Pace::default();
        pace.next(ago(Duration::ZERO));
        assert!(!pace.accepts_first(), "there is time for both");
        pace.set_saturated(true);
        assert!(pace.accepts_first());
        pace.next(ago(2 * ACCEPT_FIRST));
        assert!(!pace.accepts_first());
    }
}
