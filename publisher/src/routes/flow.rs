//! The architecture as a picture, in which the last minute's orders are seen moving.

use std::{sync::Arc, time::SystemTime};

use askama::Template;
use aws_smithy_types::DateTime;
use axum::{extract::State, response::Response};
use flow::{Moving, Picture};
use serde::Serialize;
use web::{Audience, Problem};

use super::{App, answer};
use crate::orders_table::{OrdersTable, PlacedOrder};

const SHOWN_SECONDS: i64 = 60;
const SHOWN_ORDERS: usize = 60;

/// `GET /flow`: the picture, as a page or as what is in it.
pub async fn show(State(app): State<App>, audience: Audience) -> Result<Response, Problem> {
    let picture = app.flow.picture(|| moving(&app.orders)).await.map_err(Problem::unavailable)?;
    answer(audience, &FlowPage { picture })
}

#[derive(Serialize, Template)]
#[serde(transparent)]
#[template(path = "flow.html")]
struct FlowPage {
    picture: Arc<Picture>,
}

/// The orders of the last minute, the oldest first.
async fn moving(orders: &OrdersTable) -> anyhow::Result<Vec<Moving>> {
    let since = DateTime::from(SystemTime::now()).secs() - SHOWN_SECONDS;
    let latest = orders.latest(None, SHOWN_ORDERS).await?.orders;
    let recent = latest.iter().rev().filter(|placed| placed.placed_at.secs() >= since);
    let moving = |placed: &PlacedOrder| Moving {
        id: placed.order.id.to_string(),
        amount: placed.order.amount.to_string(),
        large: placed.order.earns_coupon(),
        announced: placed.announced_at.is_some(),
        stations: placed.timeline().stations,
    };
    Ok(recent.map(moving).collect())
}
