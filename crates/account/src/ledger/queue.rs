//! A queue, as the ledger knows it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::message::{Message, Moment};

/// The most messages that are kept of a queue; a further one is only counted.
const MAX_MESSAGES: usize = 10_000;
/// The most messages that are kept after they left, at some 1,400 bytes each.
pub(super) const MAX_LEFT: usize = 10_000;
/// Among this many that left, one is looked for whose receive was noted before its arrival.
const EARLY: usize = 100;
/// Rates are those of this many whole seconds.
const RATE_SECONDS: u64 = 5;
/// What is on its way into the ledger arrives within this time.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// What SQS takes if nothing else is said.
const VISIBILITY: Duration = Duration::from_secs(30);

/// A queue and its messages.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// After how many receives a message is given up.
    pub max_receives: Option<u32>,
    /// The name of the dead-letter queue.
    pub dead_letters: Option<String>,
    /// For how long a received message is hidden.
    pub(super) visibility: Option<Duration>,
    /// When the oldest message in it was sent.
    pub oldest: Option<SystemTime>,
    messages: BTreeMap<u64, Message>,
    places: HashMap<String, u64>,
    receipts: HashMap<String, u64>,
    next: u64,
    left: VecDeque<Arc<Message>>,
    /// When the last message came that is not kept any more.
    forgotten: Option<SystemTime>,
    seconds: VecDeque<(u64, Rate)>,
}

/// Messages in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// How many were put into the queue.
    pub sent: f64,
    /// How many were received.
    pub received: f64,
    /// How many were deleted.
    pub deleted: f64,
}

impl Queue {
    /// The messages that are in it, the oldest first.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// The last ones that left.
    pub(super) fn left(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.left.iter()
    }

    /// When the last message came that is not kept any more.
    pub(super) fn forgotten(&self) -> Option<SystemTime> {
        self.forgotten
    }

    /// The queue without its messages.
    pub(super) fn outline(&self) -> Self {
        Self {
            max_receives: self.max_receives,
            dead_letters: self.dead_letters.clone(),
            visibility: self.visibility,
            oldest: self.messages.values().next().map(Message::sent),
            seconds: self.seconds.clone(),
            ..Self::default()
        }
    }

    /// The average of the last seconds, without the present one.
    pub fn rate(&self, now: SystemTime) -> Rate {
        let now = second(now);
        let mut sum = Rate::default();
        for (_, rate) in
            self.seconds.iter().filter(|(at, _)| (now - RATE_SECONDS..now).contains(at))
        {
            sum.sent += rate.sent;
            sum.received += rate.received;
            sum.deleted += rate.deleted;
        }
        let over = RATE_SECONDS as f64;
        Rate { sent: sum.sent / over, received: sum.received / over, deleted: sum.deleted / over }
    }

    pub(super) fn insert(&mut self, message: Message) {
        self.count(message.sent()).sent += 1.0;
        let came_early = self.places.contains_key(&message.id)
            || self.left.iter().rev().take(EARLY).any(|it| it.id == message.id);
        if came_early {
            return;
        }
        if self.messages.len() < MAX_MESSAGES {
            self.add(message);
        } else {
            self.forget_one_of(message.sent());
        }
    }

    fn add(&mut self, message: Message) -> u64 {
        let place = self.next;
        self.next += 1;
        self.places.insert(message.id.clone(), place);
        self.messages.insert(place, message);
        place
    }

    /// A receive brought this message with this receipt, and hides it for a while. Another thread
    /// may take note of the receive before the message's arrival.
    pub(super) fn receive(
        &mut self,
        id: &str,
        body: &str,
        receipt: &str,
        at: SystemTime,
        hidden: Option<Duration>,
    ) {
        self.count(at).received += 1.0;
        let known = self.places.get(id).copied();
        let place = known.unwrap_or_else(|| self.add(Message::new(id, body, at, at)));
        let Some(message) = self.messages.get_mut(&place) else { return };
        message.receives += 1;
        message.is_received = true;
        message.visible_at = at + hidden.or(self.visibility).unwrap_or(VISIBILITY);
        message.receipts.push(receipt.to_owned());
        message.add(at, Moment::Received);
        self.receipts.insert(receipt.to_owned(), place);
    }

    /// The queue is empty: what is in here otherwise left without a note.
    pub(super) fn forget(&mut self, at: SystemTime) {
        let old = self.messages.iter().filter(|(_, it)| it.sent() + ON_ITS_WAY < at);
        let old: Vec<_> = old.map(|(place, _)| *place).collect();
        for place in old {
            self.leave(place, at, Moment::Purged);
        }
    }

    /// The first `limit` messages that a receive must have moved to the dead-letter queue: they
    /// could be received and have been received often enough. They leave.
    pub(super) fn give_up(&mut self, at: SystemTime, limit: usize) -> Vec<Message> {
        let Some(max) = self.max_receives else { return Vec::new() };
        let is_over = |it: &Message| it.receives >= max && it.visible_at <= at;
        let over = self.messages.iter().filter(|(_, it)| is_over(it)).map(|(place, _)| *place);
        let over: Vec<_> = over.take(limit).collect();
        over.into_iter().filter_map(|place| self.leave(place, at, Moment::GivenUp)).collect()
    }

    pub(super) fn delete(&mut self, receipt: &str, at: SystemTime) {
        self.count(at).deleted += 1.0;
        if let Some(place) = self.receipts.get(receipt).copied() {
            self.leave(place, at, Moment::Deleted);
        }
    }

    pub(super) fn change_visibility(&mut self, receipt: &str, at: SystemTime, seconds: u64) {
        let place = self.receipts.get(receipt);
        let Some(message) = place.and_then(|place| self.messages.get_mut(place)) else { return };
        let until = at + Duration::from_secs(seconds);
        // Who wants to keep a message asks for longer than is left, and who gives it back for less.
        let is_renewed = seconds > 0 && until > message.visible_at;
        let moment = if is_renewed { Moment::Renewed(seconds) } else { Moment::Released(seconds) };
        message.is_received = is_renewed;
        message.visible_at = until;
        message.add(at, moment);
    }

    pub(super) fn purge(&mut self, at: SystemTime) {
        let places: Vec<_> = self.messages.keys().copied().collect();
        for place in places {
            self.leave(place, at, Moment::Purged);
        }
    }

    fn leave(&mut self, place: u64, at: SystemTime, moment: Moment) -> Option<Message> {
        let mut message = self.messages.remove(&place)?;
        self.places.remove(&message.id);
        for receipt in &message.receipts {
            self.receipts.remove(receipt);
        }
        message.add(at, moment);
        // No receipt counts any more, and they are long.
        message.receipts = Vec::new();
        if self.left.len() == MAX_LEFT
            && let Some(oldest) = self.left.pop_front()
        {
            self.forget_one_of(oldest.sent());
        }
        self.left.push_back(message.clone().into());
        Some(message)
    }

    fn forget_one_of(&mut self, sent: SystemTime) {
        self.forgotten = self.forgotten.max(Some(sent));
    }

    fn count(&mut self, at: SystemTime) -> &mut Rate {
        let now = second(at);
        if self.seconds.back().is_none_or(|(last, _)| *last != now) {
            self.seconds.push_back((now, Rate::default()));
        }
        while self.seconds.len() as u64 > RATE_SECONDS + 1 {
            self.seconds.pop_front();
        }
        let index = self.seconds.len() - 1;
        &mut self.seconds[index].1
    }
}

fn second(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The name of a queue, by its URL or its ARN.
pub(super) fn name(queue: &str) -> String {
    queue.rsplit(['/', ':']).next().unwrap_or_default().to_owned()
}
