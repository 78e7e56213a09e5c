//! The architecture as a picture in which the orders of the last minute move.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};
use flow::{Moving, Picture};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use web::{Audience, Problem, site::answer};

use super::app::App;
use crate::orders_table::{OrdersTable, PlacedOrder};

const SHOWN: SignedDuration = SignedDuration::from_secs(60);
const SHOWN_ORDERS: usize = 60;

/// `GET /flow`: the picture as a page, or its content as JSON.
pub async fn show(State(app): State<App>, audience: Audience) -> Result<Response, Problem> {
    let App { orders, flow, .. } = app;
    let picture = flow.picture(|| moving(orders)).await.map_err(Problem::unavailable)?;
    answer(audience, &FlowPage { picture })
}

#[derive(Serialize, Template)]
#[serde(transparent)]
#[template(path = "flow.html")]
struct FlowPage {
    picture: Arc<Picture>,
}

/// The orders of the last minute, the oldest first.
async fn moving(orders: OrdersTable) -> anyhow::Result<Vec<Moving>> {
    let since = Timestamp::now() - SHOWN;
    let latest = orders.latest(None, SHOWN_ORDERS).await?.orders;
    let recent = latest.iter().rev().filter(|placed| placed.placed_at >= since);
    let moving = |placed: &PlacedOrder| Moving {
        id: placed.order.id.to_string(),
        amount: placed.order.amount.to_string(),
        announced: placed.announced_at.is_some(),
        stations: placed.timeline().stations,
    };
    Ok(recent.map(moving).collect())
}
