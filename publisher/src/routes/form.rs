//! The order form: what a person sends.

use std::sync::Arc;

use askama::Template;
use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use fake::{Fake as _, faker::name::en::Name};
use orders::order::{Amount, CustomerName, Order, OrderId};
use rand::RngExt as _;
use serde::Deserialize;
use web::Problem;

use super::app::App;

/// True because the form keeps its order id.
const SAFE_TO_REPEAT: &str = "Sending again is safe: it will be the same order.";

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The totals that the form suggests, in cents.
const SAMPLE_CENTS: std::ops::Range<u64> = 100..15_900;

/// `GET /`: the form, with a sample order to send or to change.
pub async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let cents = rand::rng().random_range(SAMPLE_CENTS);
    page(
        StatusCode::OK,
        OrderForm {
            id: OrderId::new().to_string(),
            customer: Name().fake(),
            total: format!("{}.{:02}", cents / 100, cents % 100),
            offer: app.offer,
            ..OrderForm::default()
        },
    )
}

/// `POST /`: accepts the order and redirects to its page, or shows the form with the errors.
pub async fn submit(
    State(app): State<App>,
    typed: Result<Form<Typed>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(typed) =
        typed.map_err(|refused| Problem::of_body(refused.status(), &refused, MEDIA_TYPE))?;
    let order = match typed.parse() {
        Ok(order) => order,
        Err(form) => {
            return page(StatusCode::UNPROCESSABLE_ENTITY, OrderForm { offer: app.offer, ..*form });
        }
    };
    match app.place(&order).await {
        Ok(_) => Ok(Redirect::to(&format!("/orders/{}", order.id)).into_response()),
        Err(problem) => {
            // What was sent with the id before is another order: this one gets an id of its own.
            let is_another = problem.status == StatusCode::CONFLICT;
            let id = if is_another { OrderId::new() } else { order.id };
            let form = OrderForm {
                id: id.to_string(),
                sent_before: if is_another { order.id.to_string() } else { String::new() },
                customer: typed.customer,
                total: typed.total,
                notice: problem.clone().advising(SAFE_TO_REPEAT).detail,
                offer: app.offer,
                ..OrderForm::default()
            };
            Ok((problem.headers(), page(problem.status, form)?).into_response())
        }
    }
}

/// The fields as they were sent. A missing field is empty.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Typed {
    id: String,
    customer: String,
    total: String,
}

impl Typed {
    fn parse(&self) -> Result<Order, Box<OrderForm>> {
        let id = match self.id.as_str() {
            "" => Ok(OrderId::new()),
            id => id.parse::<OrderId>().map_err(|error| error.to_string()),
        };
        let customer = readable(&self.customer)
            .and_then(|name| CustomerName::typed(name).map_err(|error| error.to_string()));
        let amount = self.total.parse::<Amount>().map_err(|error| error.to_string());
        match (id, customer, amount) {
            (Ok(id), Ok(customer), Ok(amount)) => Ok(Order { id, customer, amount }),
            (id, customer, amount) => Err(Box::new(OrderForm {
                // A damaged id is replaced: nothing was stored under it.
                notice: id.as_ref().err().cloned().unwrap_or_default(),
                id: id.unwrap_or_default().to_string(),
                customer: self.customer.clone(),
                total: self.total.clone(),
                customer_error: customer.err().unwrap_or_default(),
                total_error: amount.err().unwrap_or_default(),
                ..OrderForm::default()
            })),
        }
    }
}

/// Refuses what the form's decoder could not read: it puts U+FFFD there.
fn readable(text: &str) -> Result<&str, String> {
    if text.contains('\u{fffd}') {
        return Err("The name has a character that could not be read.".to_owned());
    }
    Ok(text)
}

/// The form's page; without an error, its field is empty.
#[derive(Template, Default)]
#[template(path = "form.html")]
struct OrderForm {
    id: String,
    customer: String,
    total: String,
    customer_error: String,
    total_error: String,
    notice: String,
    /// The id of the order that was sent with this form before, if it is another one.
    sent_before: String,
    /// A line of text below the total.
    offer: Arc<str>,
}

fn page(status: StatusCode, form: OrderForm) -> Result<Response, Problem> {
    let html = form.render().map_err(Problem::internal)?;
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}
