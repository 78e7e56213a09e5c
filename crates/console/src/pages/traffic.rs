//! Orders and messages to send.

use askama::Template;

use super::part::{Main, made};
use crate::{
    app::App,
    traffic::{MAX_BURST, MAX_RATE, Sent},
};

#[derive(Template)]
#[template(path = "traffic.html")]
struct Page<'a> {
    token: &'a str,
    has_publisher: bool,
    rate: u32,
    max_rate: u32,
    max_burst: usize,
    sent: Sent,
    services: Vec<&'a str>,
}

/// The messages of the last row: the action, a name, and what it shows.
const SINGLES: [(&str, &str, &str); 4] = [
    ("below", "An order of 79.99", "Promotion's filter policy leaves it out."),
    ("above", "An order of 80", "Promotion gets it too, and grants a coupon."),
    ("duplicate", "An order that is sent twice", "It is fulfilled once and earns one coupon."),
    ("unknown", "A message of an unknown type", "Workers log it and acknowledge it."),
];

pub fn main(app: &App) -> anyhow::Result<Main> {
    let workers = app.sources.account.services.iter().filter(|it| it.queue.is_some());
    let page = Page {
        token: &app.token,
        has_publisher: app.sources.page.is_some(),
        rate: app.traffic.rate(),
        max_rate: MAX_RATE,
        max_burst: MAX_BURST,
        sent: app.traffic.sent(),
        services: workers.map(|it| it.name.as_str()).collect(),
    };
    made("Traffic", &page)
}
