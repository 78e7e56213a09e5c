//! Orders from programs.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use orders::order::{Amount, CustomerName, Order, OrderId};
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
const IDEMPOTENCY_KEY_MAX_CHARS: usize = 255;

const SAFE_TO_REPEAT: &str =
    "Sending again with the same Idempotency-Key is safe: it will be the same order.";
const UNSAFE_TO_REPEAT: &str =
    "The order may have been stored. With an Idempotency-Key, sending again would be safe.";

/// `POST /orders`: 201 for a new order, 200 if the same request placed it before.
pub async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Response, Problem> {
    let id = order_id(&headers)?;
    let Json(body) =
        body.map_err(|refused| Problem::of_body(refused.status(), &refused, MEDIA_TYPE))?;
    let advice =
        if headers.contains_key(IDEMPOTENCY_KEY) { SAFE_TO_REPEAT } else { UNSAFE_TO_REPEAT };
    let placed = app.place(&body.parse(id)?).await;
    let (placed, arrival) = placed.map_err(|problem| problem.advising(advice))?;
    let status = match arrival {
        Arrival::First => StatusCode::CREATED,
        Arrival::Again => StatusCode::OK,
    };
    let location = [(header::LOCATION, format!("/orders/{id}"))];
    Ok((status, location, Json(OrderView::of(&placed))).into_response())
}

fn order_id(headers: &HeaderMap) -> Result<OrderId, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(OrderId::new());
    };
    let key = key.to_str().unwrap_or_default().trim_ascii();
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_MAX_CHARS || key.contains('\t') {
        let detail = "An Idempotency-Key has 1 to 255 visible ASCII characters.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    Ok(OrderId::from_idempotency_key(key))
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
    fn parse(&self, id: OrderId) -> Result<Order, Problem> {
        let typed = self.amount.get();
        let amount = serde_json::from_str(typed).unwrap_or_else(|_| typed.to_owned());
        match (self.customer.parse::<CustomerName>(), amount.parse::<Amount>()) {
            (Ok(customer), Ok(amount)) => Ok(Order { id, customer, amount }),
            (customer, amount) => Err(Problem::of_fields([
                ("customer", customer.err().map(|error| error.to_string())),
                ("amount", amount.err().map(|error| error.to_string())),
            ])),
        }
    }
}
