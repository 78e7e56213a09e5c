//! Which events a command is about.

use std::{collections::VecDeque, str::FromStr};

use anyhow::Context as _;
use archive::{Archive, Event, EventId, Order, Range, Reader};
use jiff::{SignedDuration, Timestamp};
use orders::event::EVENT_TYPE;
use pubsub::env::Misconfigured;

/// The events of a time, of a type, of an order.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Selection {
    /// From when on: a time such as 2026-11-26T12:00:00Z, or how long ago, such as 10m, 2h or 3d
    #[arg(long, value_name = "TIME")]
    pub from: Option<Moment>,
    /// Until when, likewise [default: now]
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Only events of this type, such as order.placed
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only events about this order
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
}

/// A time, or how long ago it was when the command started.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        let ago = days.map(|days: u32| SignedDuration::from_hours(24 * i64::from(days)));
        let ago = ago.or_else(|| text.parse().ok().filter(|it: &SignedDuration| !it.is_negative()));
        let at = ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok());
        let wrong =
            || "a time such as 2026-11-26T12:00:00Z, or how long ago, such as 2h".to_owned();
        at.or_else(|| text.parse().ok()).map(Self).ok_or_else(wrong)
    }
}

/// The selected events, one after another.
pub struct Selected {
    from: From,
    event_type: Option<String>,
}

enum From {
    Table(Box<Reader>),
    List(VecDeque<Event>),
}

impl Selection {
    /// Reads them in this order, beyond the event `cursor`. A `page` is how many are read at once.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if there is no table of events.
    pub async fn read(
        &self,
        archive: &Archive,
        order: Order,
        cursor: Option<&EventId>,
        page: Option<i32>,
    ) -> anyhow::Result<Selected> {
        let earliest = self.order.as_ref().map_or_else(
            || Timestamp::now() - SignedDuration::from_hours(24),
            |_| Timestamp::UNIX_EPOCH,
        );
        let from = self.from.map_or(earliest, |it| it.0);
        let until = self.until.map_or_else(Timestamp::now, |it| it.0);
        let event_type = self.event_type.clone();
        if let Some(id) = &self.order {
            let events = archive.of_order(id).await?.context("the table of events is gone")?;
            let is_beyond = |id: &EventId| match order {
                Order::OldestFirst => cursor.is_none_or(|cursor| id > cursor),
                Order::NewestFirst => cursor.is_none_or(|cursor| id < cursor),
            };
            let is_within = |at: Timestamp| at >= from && at < until;
            let mut events = VecDeque::from(events);
            events.retain(|event| is_within(event.id.at()) && is_beyond(&event.id));
            if order == Order::NewestFirst {
                events.make_contiguous().reverse();
            }
            return Ok(Selected { from: From::List(events), event_type });
        }
        let range = Range::new(from, until);
        let range = match (cursor, order) {
            (Some(id), Order::OldestFirst) => range.after(id),
            (Some(id), Order::NewestFirst) => range.before(id),
            (None, _) => range,
        };
        let reader = Box::new(archive.read(range, order, page));
        Ok(Selected { from: From::Table(reader), event_type })
    }
}

impl Selected {
    /// The events with these ids, in this order.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if one of them is not there.
    pub async fn by_id(archive: &Archive, ids: &[EventId]) -> anyhow::Result<Self> {
        let mut events = VecDeque::new();
        for id in ids {
            let found = archive.get(id).await?;
            events.push_back(found.ok_or_else(|| no_such_event(id))?);
        }
        Ok(Self { from: From::List(events), event_type: None })
    }

    /// The next one; `None` after the last.
    ///
    /// # Errors
    ///
    /// If `DynamoDB` does not answer.
    pub async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            let next = match &mut self.from {
                From::Table(reader) => reader.next().await?,
                From::List(events) => events.pop_front(),
            };
            let is_wanted = |event: &Event| {
                let wanted = self.event_type.as_ref();
                wanted.is_none() || event.notification().attributes.get(EVENT_TYPE) == wanted
            };
            match next {
                Some(event) if !is_wanted(&event) => {}
                next => return Ok(next),
            }
        }
    }
}

/// What is said of an id that no event has.
pub fn no_such_event(id: &EventId) -> Misconfigured {
    Misconfigured(format!("there is no event {id}; `events list` prints the ids"))
}
