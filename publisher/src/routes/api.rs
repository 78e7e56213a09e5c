//! Orders from programs.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use orders::{
    idempotency::IdempotencyKey,
    order::{Amount, CustomerName, Order, OrderId},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use web::Problem;

use super::{
    app::{App, Arrival},
    order::OrderView,
};

const MEDIA_TYPE: &str = "application/json";

/// The header that makes sending a request twice safe.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

const SAFE_TO_REPEAT: &str =
    "Sending this again with the same Idempotency-Key is safe: it will be the same order.";
const UNSAFE_TO_REPEAT: &str =
    "The order may have been stored. With an Idempotency-Key, sending again would be safe.";

/// `POST /orders`: 201 for a new order, 200 if the same request placed it before.
pub async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let Json(body) =
        body.map_err(|refused| Problem::of_body(refused.status(), &refused, MEDIA_TYPE))?;
    let advice = if key.is_some() { SAFE_TO_REPEAT } else { UNSAFE_TO_REPEAT };
    let order = body.parse(key)?;
    let placed = app.place(&order).await;
    let (placed, arrival) = placed.map_err(|problem| problem.advising(advice))?;
    let status = match arrival {
        Arrival::First => StatusCode::CREATED,
        Arrival::Again => StatusCode::OK,
    };
    let location = [(header::LOCATION, format!("/orders/{}", order.id))];
    Ok((status, location, Json(OrderView::of(&placed))).into_response())
}

fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default().parse::<IdempotencyKey>();
    key.map(Some).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

/// The body of `POST /orders`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    customer: String,
    /// A number or a string, read as it was typed and never as a float.
    amount: Box<RawValue>,
}

impl NewOrder {
    fn parse(&self, key: Option<IdempotencyKey>) -> Result<Order, Problem> {
        let typed = self.amount.get();
        let amount = serde_json::from_str(typed).unwrap_or_else(|_| typed.to_owned());
        match (CustomerName::typed(&self.customer), amount.parse::<Amount>()) {
            (Ok(customer), Ok(amount)) => Ok(match key {
                Some(key) => key.order(customer, amount),
                None => Order { id: OrderId::new(), customer, amount },
            }),
            (customer, amount) => Err(Problem::of_fields([
                ("customer", customer.err().map(|error| error.to_string())),
                ("amount", amount.err().map(|error| error.to_string())),
            ])),
        }
    }
}
