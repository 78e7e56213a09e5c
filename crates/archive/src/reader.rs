//! Events of a time, in the order of their ids: the shards of each day are read side by side and
//! merged.

use std::collections::VecDeque;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use jiff::{Timestamp, civil::Date};
use pubsub::unavailable::call_failed;

use crate::{
    event::{Event, EventId, SHARDS, day, partition, prefix},
    table::{Archive, ID, Item, PARTITION, read, text},
};

/// From one event or time to another.
#[derive(Clone, Debug)]
pub struct Range {
    /// What the ids are above.
    after: String,
    /// What the ids are below.
    before: String,
    days: (Date, Date),
}

/// In which order events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// Reads the events of a range.
#[derive(Debug)]
pub struct Reader {
    archive: Archive,
    range: Range,
    order: Order,
    page: Option<i32>,
    /// The days to read.
    days: (Date, Date),
    shards: Vec<Shard>,
}

/// A partition of the day that is being read.
#[derive(Debug)]
struct Shard {
    partition: String,
    events: VecDeque<Event>,
    next: Next,
}

/// Where a partition goes on.
#[derive(Debug)]
enum Next {
    Start,
    After(Item),
    Nothing,
}

impl Range {
    /// The events from `from` on, and before `until`.
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        // The ids of a millisecond are longer than its prefix, so they are above it.
        Self { after: prefix(from), before: prefix(until), days: (day(from), day(until)) }
    }

    /// Those of them that come after the event `id`.
    pub fn after(self, id: &EventId) -> Self {
        let days = (day(id.at()).max(self.days.0), self.days.1);
        Self { after: self.after.max(id.to_string()), days, ..self }
    }

    /// Those of them that come before the event `id`.
    pub fn before(self, id: &EventId) -> Self {
        let days = (self.days.0, day(id.at()).min(self.days.1));
        Self { before: self.before.min(id.to_string()), days, ..self }
    }
}

impl Archive {
    /// Reads the events in `range`. A `page` is how many are read from each shard at once; without
    /// one, it is up to a megabyte.
    pub fn read(&self, range: Range, order: Order, page: Option<i32>) -> Reader {
        let (archive, days) = (self.clone(), range.days);
        Reader { archive, range, order, page, days, shards: Vec::new() }
    }
}

impl Reader {
    /// The next event; `None` after the last.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or an item is not an event.
    pub async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            self.fill().await?;
            let id = |shard: &&mut Shard| shard.events.front().map(|it| it.id.clone());
            let shards = self.shards.iter_mut().filter(|it| !it.events.is_empty());
            let first = match self.order {
                Order::OldestFirst => shards.min_by_key(id),
                Order::NewestFirst => shards.max_by_key(id),
            };
            if let Some(shard) = first {
                return Ok(shard.events.pop_front());
            }
            let Some(day) = self.next_day() else { return Ok(None) };
            let shard = |shard| Shard {
                partition: partition(day, shard),
                events: VecDeque::new(),
                next: Next::Start,
            };
            self.shards = (0..SHARDS).map(shard).collect();
        }
    }

    fn next_day(&mut self) -> Option<Date> {
        let (first, last) = self.days;
        if first > last {
            return None;
        }
        Some(match self.order {
            Order::OldestFirst => {
                self.days.0 = first.tomorrow().ok()?;
                first
            }
            Order::NewestFirst => {
                self.days.1 = last.yesterday().ok()?;
                last
            }
        })
    }

    /// Reads a page of each shard of which nothing is left but there may be more: only then is it
    /// known which event is next.
    async fn fill(&mut self) -> anyhow::Result<()> {
        while self.shards.iter().any(Shard::is_open) {
            let (archive, range, order, page) = (&self.archive, &self.range, self.order, self.page);
            let open = self.shards.iter_mut().filter(|it| it.is_open());
            try_join_all(open.map(|shard| shard.read_page(archive, range, order, page))).await?;
        }
        Ok(())
    }
}

impl Shard {
    fn is_open(&self) -> bool {
        self.events.is_empty() && !matches!(self.next, Next::Nothing)
    }

    async fn read_page(
        &mut self,
        archive: &Archive,
        range: &Range,
        order: Order,
        page: Option<i32>,
    ) -> anyhow::Result<()> {
        let start = match &self.next {
            Next::After(key) => Some(key.clone()),
            Next::Start | Next::Nothing => None,
        };
        let query = archive
            .dynamodb
            .query()
            .table_name(&archive.table)
            .key_condition_expression(format!("{PARTITION} = :it AND {ID} BETWEEN :from AND :to"))
            .expression_attribute_values(":it", text(&self.partition))
            .expression_attribute_values(":from", text(&range.after))
            .expression_attribute_values(":to", text(&range.before))
            .scan_index_forward(order == Order::OldestFirst)
            .consistent_read(true)
            .set_limit(page)
            .set_exclusive_start_key(start);
        let found = query.send().await.map_err(call_failed).context("reading the events")?;
        for item in found.items() {
            let event = read(item)?;
            // BETWEEN includes both ends.
            let id = event.id.to_string();
            if id != range.after && id != range.before {
                self.events.push_back(event);
            }
        }
        self.next = found.last_evaluated_key.map_or(Next::Nothing, Next::After);
        Ok(())
    }
}
