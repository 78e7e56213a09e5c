//! The picture: a lane for each subscription, and a dot for each order on its way to a service.

use std::collections::{BTreeSet, HashMap};

use askama::Template;
use orders::timeline::{Phase, Station};
use serde::Serialize;

use crate::topology::{Depth, Lane};

/// The places in the picture, from left to right, in its own units.
const LANE_HEIGHT: usize = 170;
const STORED_X: usize = 25;
const QUEUE_X: usize = 645;
const WORKER_X: usize = 820;
const DONE_X: usize = 995;
/// How many dots fit side by side in a place.
const DOTS_A_ROW: usize = 7;
const DOT: usize = 16;

/// An order of the last minute.
#[derive(Clone, Debug)]
pub struct Moving {
    /// Its id.
    pub id: String,
    /// Its total.
    pub amount: String,
    /// Whether it was announced.
    pub announced: bool,
    /// Its stations.
    pub stations: Vec<Station>,
}

/// The picture: an SVG element as text, and its content as JSON.
#[derive(Debug, Serialize, Template)]
#[template(path = "picture.svg", escape = "html")]
pub struct Picture {
    lanes: Vec<Drawn>,
    dots: Vec<Dot>,
}

/// A lane, and the texts at its queue.
#[derive(Debug, Serialize)]
struct Drawn {
    #[serde(flatten)]
    lane: Lane,
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
    pub(crate) fn draw(moving: &[Moving], lanes: anyhow::Result<Vec<Lane>>) -> Self {
        let lanes = lanes.unwrap_or_else(|error| {
            tracing::debug!(error = format!("{error:#}"), "cannot read the subscriptions");
            reporting(moving)
        });
        Self { dots: dots(moving, &lanes), lanes: lanes.into_iter().map(Drawn::of).collect() }
    }

    fn height(&self) -> usize {
        self.lanes.len().max(1) * LANE_HEIGHT + 40
    }
}

impl Drawn {
    fn of(lane: Lane) -> Self {
        let (queue, letters) = match lane.depth {
            Some(Depth { waiting, in_flight, dead }) => (
                format!("{waiting} visible, {in_flight} in flight"),
                format!("{dead} dead letters"),
            ),
            None => ("queue".to_owned(), String::new()),
        };
        Self { lane, queue, letters }
    }
}

/// A lane for each service that has reported, without its queue.
fn reporting(moving: &[Moving]) -> Vec<Lane> {
    let attempted = |station: &&Station| !station.attempts.is_empty();
    let stations = moving.iter().flat_map(|order| order.stations.iter().filter(attempted));
    let services: BTreeSet<_> = stations.map(|station| station.name.clone()).collect();
    services.into_iter().map(|service| Lane { service, ..Lane::default() }).collect()
}

/// A dot for each order and each of its services.
fn dots(moving: &[Moving], lanes: &[Lane]) -> Vec<Dot> {
    let mut taken: HashMap<(usize, usize), usize> = HashMap::new();
    let mut dots = Vec::new();
    for order in moving {
        for station in &order.stations {
            let Some(lane) = lanes.iter().position(|lane| lane.service == station.name) else {
                continue;
            };
            let left = place(station, order.announced);
            // Before it is announced, it is at the publisher, beside the first lane.
            let lane = if left == STORED_X { 0 } else { lane };
            let index = taken.entry((left, lane)).or_default();
            dots.push(Dot {
                order: order.id.clone(),
                service: station.name.clone(),
                amount: order.amount.clone(),
                state: station.state,
                x: left + *index % DOTS_A_ROW * DOT,
                // If there are too many, the last ones overlap.
                y: lane * LANE_HEIGHT + 36 + (*index / DOTS_A_ROW).min(3) * DOT,
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
