//! The order form: what a person sends.

use askama::Template;
use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use fake::{Fake as _, faker::name::en::Name};
use pubsub::order::{Amount, CustomerName, Order, OrderId};
use rand::RngExt as _;
use serde::Deserialize;
use web::Problem;

use super::App;

/// The form keeps its order id.
const SAFE_TO_REPEAT: &str = "Sending again is safe: it will be the same order.";

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The totals that the form suggests, in cents: as many below 80 as above.
const SAMPLE_CENTS: std::ops::Range<u64> = 100..15_900;

/// `GET /`: the form, with a sample order to send as it is or to change.
pub async fn show() -> Result<Response, Problem> {
    let cents = rand::rng().random_range(SAMPLE_CENTS);
    page(
        StatusCode::OK,
        OrderForm {
            id: OrderId::new().to_string(),
            customer: Name().fake(),
            total: format!("{}.{:02}", cents / 100, cents % 100),
            ..OrderForm::default()
        },
    )
}

/// `POST /`: accepts the order and leads to its page, or shows the form with what is wrong.
pub async fn submit(
    State(app): State<App>,
    typed: Result<Form<Typed>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(typed) =
        typed.map_err(|refused| Problem::of_body(refused.status(), &refused, MEDIA_TYPE))?;
    let order = match typed.parse() {
        Ok(order) => order,
        Err(form) => return page(StatusCode::UNPROCESSABLE_ENTITY, *form),
    };
    match app.place(&order).await {
        Ok(_) => Ok(Redirect::to(&format!("/orders/{}", order.id)).into_response()),
        Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE => {
            let form = OrderForm {
                id: order.id.to_string(),
                customer: typed.customer,
                total: typed.total,
                notice: problem.clone().advising(SAFE_TO_REPEAT).detail,
                ..OrderForm::default()
            };
            Ok((problem.headers(), page(problem.status, form)?).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// The fields as they came. One that is missing is an empty one.
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
            .and_then(|name| name.parse::<CustomerName>().map_err(|error| error.to_string()));
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
            })),
        }
    }
}

/// The form's decoder puts U+FFFD where it cannot read a byte; a name with holes is nobody's.
fn readable(text: &str) -> Result<&str, String> {
    if text.contains('\u{fffd}') {
        return Err("The name has a character that could not be read.".to_owned());
    }
    Ok(text)
}

/// The form's page; an error is empty where there is none.
#[derive(Template, Default)]
#[template(path = "form.html")]
struct OrderForm {
    id: String,
    customer: String,
    total: String,
    customer_error: String,
    total_error: String,
    notice: String,
}

fn page(status: StatusCode, form: OrderForm) -> Result<Response, Problem> {
    let html = form.render().map_err(Problem::internal)?;
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}
