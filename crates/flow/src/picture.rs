//! The picture: a lane for each subscription, and a dot for each order on its way to a service.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;
use orders::timeline::{PAYMENT, Phase, Station};
use serde::Serialize;
use serde_json::Value;

use crate::{queues::Depth, recent::Moving, topology::Subscriber};

/// The places in the picture, from left to right, in its own units.
const LANE_HEIGHT: usize = 170;
/// Below the lanes of orders, where the reports go back.
const REPORTS_HEIGHT: usize = 40;
const STORED_X: usize = 25;
const QUEUE_X: usize = 645;
const WORKER_X: usize = 820;
const DONE_X: usize = 995;
/// How many dots fit side by side in a place.
const DOTS_A_ROW: usize = 7;
const DOT: usize = 16;
/// How many characters of a filter fit into a line.
const FILTER_CHARS: usize = 35;

/// A subscription, with what is in its queue.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Lane {
    #[serde(flatten)]
    pub subscriber: Subscriber,
    /// The depth of its queue; `None` if that cannot be read.
    pub depth: Option<Depth>,
}

/// The picture: an SVG element as text, and its content as JSON.
#[derive(Debug, Serialize, Template)]
#[template(path = "picture.svg", escape = "html")]
pub struct Picture {
    lanes: Vec<Drawn>,
    dots: Vec<Dot>,
    /// Where the lanes of orders end.
    #[serde(skip)]
    orders_end: usize,
}

/// A lane, and the texts at its queue.
#[derive(Debug, Serialize)]
struct Drawn {
    #[serde(flatten)]
    lane: Lane,
    /// The filter, in lines that fit.
    lines: Vec<String>,
    /// Whether it is of webhooks.
    #[serde(skip)]
    is_outside: bool,
    #[serde(skip)]
    y: usize,
    queue: String,
    letters: String,
}

/// An order on its way to one service.
#[derive(Debug, Serialize)]
struct Dot {
    order: String,
    service: String,
    amount: String,
    state: Phase,
    x: usize,
    y: usize,
}

impl Picture {
    /// The lanes of orders, and below them those of webhooks.
    pub(crate) fn draw(
        moving: &[Moving],
        lanes: anyhow::Result<Vec<Lane>>,
        outside: Vec<Lane>,
    ) -> Self {
        let lanes = lanes.unwrap_or_else(|error| {
            tracing::debug!(error = format!("{error:#}"), "cannot read the subscriptions");
            reporting(moving)
        });
        let orders_end = lanes.len().max(1) * LANE_HEIGHT + REPORTS_HEIGHT;
        let orders = lanes.into_iter().enumerate();
        let orders = orders.map(|(index, lane)| Drawn::of(lane, false, index * LANE_HEIGHT));
        let outside = outside.into_iter().enumerate();
        let below = |index| orders_end + index * LANE_HEIGHT;
        let outside = outside.map(|(index, lane)| Drawn::of(lane, true, below(index)));
        let lanes: Vec<_> = orders.chain(outside).collect();
        Self { dots: dots(moving, &lanes), lanes, orders_end }
    }

    fn height(&self) -> usize {
        let outside = self.lanes.iter().filter(|lane| lane.is_outside).count();
        self.orders_end + outside * LANE_HEIGHT
    }
}

impl Drawn {
    fn of(lane: Lane, is_outside: bool, y: usize) -> Self {
        let (queue, letters) = match lane.depth {
            Some(Depth { waiting, in_flight, dead }) => (
                format!("{waiting} visible, {in_flight} in flight"),
                format!("{dead} dead letters"),
            ),
            None => ("queue".to_owned(), String::new()),
        };
        Self { lines: lines(&lane.subscriber.filter), lane, is_outside, y, queue, letters }
    }

    /// Who handles the messages, and where they are then: payments are on the order.
    fn ends(&self) -> [&str; 2] {
        if self.is_outside && self.lane.subscriber.service == PAYMENT {
            ["publisher", "on the order"]
        } else {
            [
                &self.lane.subscriber.service,
                if self.lane.subscriber.keeps { "kept" } else { "done" },
            ]
        }
    }
}

/// A filter policy in lines that fit: one for each attribute if it is long.
fn lines(filter: &str) -> Vec<String> {
    let policy = serde_json::from_str::<BTreeMap<String, Vec<Value>>>(filter);
    let Some(policy) = policy.ok().filter(|_| filter.len() > FILTER_CHARS) else {
        return vec![filter.to_owned()];
    };
    let line = |(name, values): (&String, &Vec<Value>)| {
        let values = values.iter();
        let values = values.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
        let values: Vec<_> = values.collect();
        let first = |count: usize| {
            let more = (count < values.len()).then(|| "…".to_owned());
            let shown = values[..count].iter().cloned().chain(more).collect::<Vec<_>>();
            format!("{name}: {}", shown.join(", "))
        };
        let fits = |line: &String| line.chars().count() <= FILTER_CHARS;
        (0..=values.len()).rev().map(first).find(fits).unwrap_or_else(|| "…".to_owned())
    };
    policy.iter().map(line).collect()
}

/// A lane for each service that has reported, without its queue.
fn reporting(moving: &[Moving]) -> Vec<Lane> {
    let attempted = |station: &&Station| !station.attempts.is_empty() && station.name != PAYMENT;
    let stations = moving.iter().flat_map(|order| order.stations.iter().filter(attempted));
    let services: BTreeSet<_> = stations.map(|station| station.name.clone()).collect();
    services.into_iter().map(lane_of).collect()
}

fn lane_of(service: String) -> Lane {
    Lane { subscriber: Subscriber { service, ..Subscriber::default() }, depth: None }
}

/// A dot for each order and each of its services.
fn dots(moving: &[Moving], lanes: &[Drawn]) -> Vec<Dot> {
    let mut taken: HashMap<(usize, usize), usize> = HashMap::new();
    let mut dots = Vec::new();
    for order in moving {
        for station in &order.stations {
            let Some(lane) = lanes.iter().find(|it| it.lane.subscriber.service == station.name)
            else {
                continue;
            };
            // What became of a payment is known, and on its order.
            let left = if lane.is_outside { DONE_X } else { place(station, order.announced) };
            // Before it is announced, it is at the publisher, beside the first lane.
            let top = if left == STORED_X { 0 } else { lane.y };
            let index = taken.entry((left, top)).or_default();
            dots.push(Dot {
                order: order.id.clone(),
                service: station.name.clone(),
                amount: order.amount.clone(),
                state: station.state,
                x: left + *index % DOTS_A_ROW * DOT,
                // If there are too many, the last ones overlap.
                y: top + 36 + (*index / DOTS_A_ROW).min(3) * DOT,
            });
            *index += 1;
        }
    }
    dots
}

fn place(station: &Station, announced: bool) -> usize {
    match station.state {
        Phase::Waiting if !announced => STORED_X,
        // A failed attempt waits to be retried.
        Phase::Waiting | Phase::Failed => QUEUE_X,
        Phase::Working => WORKER_X,
        Phase::Done => DONE_X,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_long_filter_has_a_line_for_each_attribute_and_no_more_values_than_fit() {
        for (filter, expected) in [
            ("every order", &["every order"][..]),
            (r#"{"amount":[{"numeric":[">=",80]}]}"#, &[r#"{"amount":[{"numeric":[">=",80]}]}"#]),
            (
                r#"{"source":["payments"],"event_type":["payment.received","payment.failed"]}"#,
                &["event_type: payment.received, …", "source: payments"],
            ),
            (
                r#"{"a":[{"numeric":[">=",80,"<",90]}],"of":["more than fits in a line of it"]}"#,
                &[r#"a: {"numeric":[">=",80,"<",90]}"#, "of: more than fits in a line of it"],
            ),
            (r#"{"b":[],"of":["more than fits in a line of the picture"]}"#, &["b: ", "of: …"]),
        ] {
            assert_eq!(lines(filter), expected, "{filter}");
        }
    }

    #[test]
    fn the_dots_of_payments_are_in_the_lane_of_webhooks_below_those_of_orders() {
        let station = |name: &str, state| Station {
            name: name.to_owned(),
            state,
            word: String::new(),
            at: None,
            attempts: vec!["Attempt 1.".to_owned()],
            attachments: Vec::new(),
        };
        let stations = vec![station("fulfilment", Phase::Working), station(PAYMENT, Phase::Failed)];
        let order = Moving {
            id: "1".into(),
            placed_at: Timestamp::now(),
            version: 1,
            amount: "80".into(),
            announced: true,
            stations,
        };
        let lane = |service: &str| lane_of(service.to_owned());
        let picture = Picture::draw(
            std::slice::from_ref(&order),
            Ok(vec![lane("fulfilment")]),
            vec![lane(PAYMENT)],
        );
        let places: Vec<_> = picture.dots.iter().map(|dot| (dot.x, dot.y)).collect();
        assert_eq!(places, [(WORKER_X, 36), (DONE_X, LANE_HEIGHT + REPORTS_HEIGHT + 36)]);
        assert_eq!(picture.height(), 2 * LANE_HEIGHT + REPORTS_HEIGHT);
        // Without the subscriptions, a payment is no service that reports.
        let alone = Picture::draw(&[order], Err(anyhow::anyhow!("denied")), Vec::new());
        let services: Vec<_> =
            alone.lanes.iter().map(|it| it.lane.subscriber.service.as_str()).collect();
        assert_eq!((services, alone.dots.len()), (vec!["fulfilment"], 1));
    }
}
