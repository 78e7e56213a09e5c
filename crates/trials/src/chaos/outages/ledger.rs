//! What is known of each order of a cell, while it runs.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use orders::order::{Amount, OrderId};

use crate::chaos::{
    customers::{Accepted, Answer},
    shown::Shown,
};

/// The orders of a cell, by id.
#[derive(Default)]
pub struct Ledger(Mutex<HashMap<String, Entry>>);

struct Entry {
    order: Accepted,
    sent: Instant,
    earns_coupon: bool,
    answer: Option<Answer>,
    /// Whether fulfilment and promotion logged that they finished.
    logged: [bool; 2],
    /// When the order was first seen to be shown as fulfilled, with its coupon if it earns one.
    done: Option<Instant>,
}

/// How many orders.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Were accepted.
    pub accepted: usize,
    /// Got another answer, or none.
    pub refused: usize,
    /// Were accepted and are done.
    pub done: usize,
}

impl Ledger {
    /// Adds an order that is about to be sent.
    pub fn sent(&self, id: OrderId, amount: Amount, earns_coupon: bool) {
        let order = Accepted { id, amount };
        let sent = Instant::now();
        let entry =
            Entry { order, sent, earns_coupon, answer: None, logged: [false; 2], done: None };
        self.lock().insert(id.to_string(), entry);
    }

    /// Notes the answer to an order.
    pub fn answered(&self, id: OrderId, answer: Answer) {
        if let Some(entry) = self.lock().get_mut(&id.to_string()) {
            entry.answer = Some(answer);
        }
    }

    /// Notes that fulfilment or promotion, as `worker` says, logged that it finished an order.
    pub fn logged(&self, worker: usize, id: &str) {
        if let Some(entry) = self.lock().get_mut(id) {
            entry.logged[worker] = true;
        }
    }

    /// The accepted orders that are not known to be done, and should be according to the logs. If
    /// there are only `few` left, all of them: a worker may be killed before it logs.
    pub fn pending(&self, few: usize) -> Vec<String> {
        let orders = self.lock();
        let pending = || orders.iter().filter(|(_, it)| it.is_accepted() && it.done.is_none());
        let all = pending().count() <= few;
        let due = pending().filter(|(_, it)| all || it.should_be_done());
        due.map(|(id, _)| id.clone()).collect()
    }

    /// Notes what the pages of orders show now.
    pub fn seen(&self, shown: &Shown) {
        let now = Instant::now();
        let mut orders = self.lock();
        for id in &shown.fulfilled {
            let Some(entry) = orders.get_mut(id) else { continue };
            if !entry.earns_coupon || shown.coupons.contains_key(id) {
                entry.done.get_or_insert(now);
            }
        }
    }

    /// How many orders there are of each kind.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.lock().values() {
            counts.accepted += usize::from(entry.is_accepted());
            counts.refused += usize::from(entry.answer == Some(Answer::Failed));
            counts.done += usize::from(entry.is_accepted() && entry.done.is_some());
        }
        counts
    }

    /// When the last of the accepted orders that were sent before this time was seen to be done.
    pub fn last_done(&self, sent_before: Instant) -> Option<Instant> {
        let orders = self.lock();
        let sent = orders.values().filter(|it| it.is_accepted() && it.sent < sent_before);
        sent.filter_map(|it| it.done).max()
    }

    /// The orders that were accepted, and those that were not.
    pub fn by_answer(&self) -> (Vec<Accepted>, Vec<Accepted>) {
        let orders = self.lock();
        let (accepted, refused): (Vec<_>, Vec<_>) =
            orders.values().partition(|it| it.is_accepted());
        let orders =
            |entries: Vec<&Entry>| entries.into_iter().map(|it| it.order.clone()).collect();
        (orders(accepted), orders(refused))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // Code that holds the lock cannot panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn should_be_done(&self) -> bool {
        let [is_fulfilled, has_coupon] = self.logged;
        is_fulfilled && (has_coupon || !self.earns_coupon)
    }

    fn is_accepted(&self) -> bool {
        self.answer == Some(Answer::Accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: u8) -> OrderId {
        OrderId::derived(&number.to_string())
    }

    /// A ledger of two accepted orders, of which the second earns a coupon.
    fn ledger() -> Ledger {
        let ledger = Ledger::default();
        for (number, earns_coupon) in [(1, false), (2, true)] {
            ledger.sent(order(number), Amount::from_cents(100).unwrap(), earns_coupon);
            ledger.answered(order(number), Answer::Accepted);
        }
        ledger
    }

    fn see(ledger: &Ledger, fulfilled: &[OrderId], coupons: &[OrderId]) {
        ledger.seen(&Shown {
            fulfilled: fulfilled.iter().map(OrderId::to_string).collect(),
            coupons: coupons.iter().map(|id| (id.to_string(), ["A".to_owned()].into())).collect(),
        });
    }

    #[test]
    fn an_order_is_done_once_it_is_shown_as_fulfilled_with_the_coupon_that_it_earns() {
        let ledger = ledger();
        ledger.sent(order(3), Amount::from_cents(100).unwrap(), false);
        ledger.answered(order(3), Answer::Failed);
        let before = Instant::now();
        assert_eq!(ledger.last_done(before), None);
        see(&ledger, &[order(1), order(2), order(3)], &[]);
        let Counts { accepted, refused, done } = ledger.counts();
        assert_eq!((accepted, refused, done), (2, 1, 1));
        let first = ledger.last_done(before).unwrap();
        see(&ledger, &[order(2)], &[order(2)]);
        assert_eq!(ledger.counts().done, 2);
        assert!(ledger.last_done(before).unwrap() > first);
        // Those that were sent later do not count for the time to catch up.
        assert_eq!(ledger.last_done(before - std::time::Duration::from_secs(60)), None);
    }

    #[test]
    fn orders_are_looked_at_once_the_workers_say_that_they_are_done_or_when_few_are_left() {
        let ledger = ledger();
        assert_eq!(ledger.pending(2).len(), 2);
        assert!(ledger.pending(1).is_empty());
        ledger.logged(0, &order(1).to_string());
        ledger.logged(0, &order(2).to_string());
        assert_eq!(ledger.pending(1), [order(1).to_string()]);
        ledger.logged(1, &order(2).to_string());
        assert_eq!(ledger.pending(1).len(), 2);
        see(&ledger, &[order(1)], &[]);
        assert_eq!(ledger.pending(0), [order(2).to_string()]);
    }
}
