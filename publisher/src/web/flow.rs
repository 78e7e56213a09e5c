//! The architecture as a picture, in which the last minute's orders are seen moving.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use askama::Template;
use aws_smithy_types::DateTime;
use axum::{
    Json,
    extract::State,
    http::header,
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use tokio::sync::Mutex;
use web_service::{Audience, Problem};

use super::{App, order::OrderView};
use crate::{
    orders_table::PlacedOrder,
    timeline::{Standing, Station},
    topology::{Depth, Lane},
};

/// What is shown, and how many of them at most.
const SHOWN_SECONDS: i64 = 60;
const SHOWN_ORDERS: usize = 60;
/// However many look, AWS is asked once in this time.
const FRESH: Duration = Duration::from_millis(900);

/// The picture, in its own units: from left to right, and a lane for each subscription.
const LANE_HEIGHT: usize = 170;
const STORED_X: usize = 25;
const QUEUE_X: usize = 645;
const WORKER_X: usize = 820;
const DONE_X: usize = 995;
/// A place has room for so many dots side by side.
const DOTS_A_ROW: usize = 7;
const DOT: usize = 16;

/// The picture as it was a moment ago.
pub type Latest = Arc<Mutex<Option<(Instant, Arc<Flow>)>>>;

/// `GET /flow`: the picture, as a page or as what is in it.
pub async fn show(State(app): State<App>, audience: Audience) -> Result<Response, Problem> {
    let mut latest = app.flow.lock().await;
    let flow = match &*latest {
        Some((at, flow)) if at.elapsed() < FRESH => Arc::clone(flow),
        _ => {
            let flow = Arc::new(Flow::now(&app).await.map_err(Problem::out_of_reach)?);
            *latest = Some((Instant::now(), Arc::clone(&flow)));
            flow
        }
    };
    let body = match audience {
        Audience::Program => Json(&*flow).into_response(),
        Audience::Browser => Html(flow.render().map_err(Problem::internal)?).into_response(),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], body).into_response())
}

/// The picture.
#[derive(Serialize, Template)]
#[template(path = "flow.html")]
pub struct Flow {
    lanes: Vec<Drawn>,
    dots: Vec<Dot>,
}

/// A lane, and what is written at its queue.
#[derive(Serialize)]
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

impl Flow {
    async fn now(app: &App) -> anyhow::Result<Self> {
        let (page, lanes) =
            tokio::join!(app.orders.latest(None, SHOWN_ORDERS), app.topology.lanes());
        let since = DateTime::from(std::time::SystemTime::now()).secs() - SHOWN_SECONDS;
        let mut orders = page?.orders;
        orders.retain(|placed| placed.placed_at.secs() >= since);
        let lanes = lanes.unwrap_or_else(|error| {
            tracing::debug!(error = format!("{error:#}"), "the depth of queues is not known");
            let services = ["fulfilment", "promotion"].map(str::to_owned);
            services.map(|service| Lane { service, ..Lane::default() }).into()
        });
        Ok(Self { dots: dots(&orders, &lanes), lanes: lanes.into_iter().map(Drawn::of).collect() })
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

/// A dot for each order and each service that it is on its way to, the oldest first.
fn dots(orders: &[PlacedOrder], lanes: &[Lane]) -> Vec<Dot> {
    let mut taken: HashMap<(usize, usize), usize> = HashMap::new();
    let mut dots = Vec::new();
    for placed in orders.iter().rev() {
        let order = OrderView::of(placed);
        for station in &order.timeline.stations {
            let Some(lane) = lanes.iter().position(|lane| lane.service == station.name) else {
                continue;
            };
            let left = place(station, placed.announced_at.is_some());
            let index = taken.entry((left, lane)).or_default();
            // Before it is announced it is with the publisher, which is beside the first lane.
            let top = if left == STORED_X { 0 } else { lane * LANE_HEIGHT };
            dots.push(Dot {
                order: placed.order.id.to_string(),
                service: station.name.clone(),
                amount: placed.order.amount.to_string(),
                large: placed.order.earns_coupon(),
                state: station.state,
                x: left + *index % DOTS_A_ROW * DOT,
                // Where there are too many, the last ones cover one another.
                y: top + 36 + (*index / DOTS_A_ROW).min(3) * DOT,
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
