//! The architecture as a picture in which the orders of the last minute move.

use askama::Template;
use axum::{extract::State, response::Response};
use flow::{Moving, Picture};
use serde::Serialize;
use web::{Audience, Problem, site::answer};

use super::app::App;
use crate::{live::moving, orders_table::OrdersTable};

const SHOWN_ORDERS: usize = 60;

/// `GET /flow`: the picture as a page, or its content as JSON.
pub async fn show(State(app): State<App>, audience: Audience) -> Result<Response, Problem> {
    let App { orders, live, .. } = app;
    // One for each shard of the index, one for their number, and one for the orders.
    let requests = orders.shards().known() as usize + 2;
    let picture = live.flow.picture(|| latest(orders), requests).await;
    answer(audience, &FlowPage { picture: picture.map_err(Problem::unavailable)? })
}

#[derive(Serialize, Template)]
#[serde(transparent)]
#[template(path = "flow.html")]
struct FlowPage {
    picture: Picture,
}

async fn latest(orders: OrdersTable) -> anyhow::Result<Vec<Moving>> {
    Ok(orders.latest(None, SHOWN_ORDERS).await?.orders.iter().map(moving).collect())
}
