//! The picture: a lane for each subscription, and a dot for each order on its way to a service.

use std::collections::HashMap;

use askama::Template;
use pubsub::timeline::{Standing, Station};
use serde::Serialize;

use crate::topology::{Depth, Lane};

/// The picture, in its own units: from left to right, and a lane for each subscription.
const LANE_HEIGHT: usize = 170;
const STORED_X: usize = 25;
const QUEUE_X: usize = 645;
const WORKER_X: usize = 820;
const DONE_X: usize = 995;
/// A place has room for so many dots side by side.
const DOTS_A_ROW: usize = 7;
const DOT: usize = 16;

/// An order of the last minute.
#[derive(Clone, Debug)]
pub struct Moving {
    /// Its id.
    pub id: String,
    /// Its total.
    pub amount: String,
    /// Whether promotion wants it.
    pub large: bool,
    /// Whether the topic has it.
    pub announced: bool,
    /// Where it is.
    pub stations: Vec<Station>,
}

/// The picture: an SVG element as text, and what is in it as JSON.
#[derive(Debug, Serialize, Template)]
#[template(path = "picture.svg", escape = "html")]
pub struct Picture {
    lanes: Vec<Drawn>,
    dots: Vec<Dot>,
}

/// A lane, and what is written at its queue.
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
    /// Whether promotion wants it.
    large: bool,
    state: Standing,
    x: usize,
    y: usize,
}

impl Picture {
    pub(crate) fn draw(moving: &[Moving], lanes: anyhow::Result<Vec<Lane>>) -> Self {
        let lanes = lanes.unwrap_or_else(|error| {
            tracing::debug!(error = format!("{error:#}"), "the depth of queues is not known");
            let services = ["fulfilment", "promotion"].map(str::to_owned);
            services.map(|service| Lane { service, ..Lane::default() }).into()
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
            Some(Depth { waiting, in_flight, dead }) => {
                (format!("{waiting} waiting, {in_flight} in hand"), format!("{dead} dead letters"))
            }
            None => ("queue".to_owned(), String::new()),
        };
        Self { lane, queue, letters }
    }
}

/// A dot for each order and each service that it is on its way to.
fn dots(moving: &[Moving], lanes: &[Lane]) -> Vec<Dot> {
    let mut taken: HashMap<(usize, usize), usize> = HashMap::new();
    let mut dots = Vec::new();
    for order in moving {
        for station in &order.stations {
            let Some(lane) = lanes.iter().position(|lane| lane.service == station.name) else {
                continue;
            };
            let left = place(station, order.announced);
            // Before it is announced it is with the publisher, which is beside the first lane.
            let lane = if left == STORED_X { 0 } else { lane };
            let index = taken.entry((left, lane)).or_default();
            dots.push(Dot {
                order: order.id.clone(),
                service: station.name.clone(),
                amount: order.amount.clone(),
                large: order.large,
                state: station.state,
                x: left + *index % DOTS_A_ROW * DOT,
                // Where there are too many, the last ones cover one another.
                y: lane * LANE_HEIGHT + 36 + (*index / DOTS_A_ROW).min(3) * DOT,
            });
            *index += 1;
        }
    }
    dots
}

fn place(station: &Station, announced: bool) -> usize {
    match station.state {
        Standing::Waiting if !announced => STORED_X,
        // What failed waits to be tried again.
        Standing::Waiting | Standing::Failed => QUEUE_X,
        Standing::Working => WORKER_X,
        Standing::Done => DONE_X,
    }
}
