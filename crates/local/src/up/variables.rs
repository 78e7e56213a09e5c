//! The variables that every service gets on this machine.

use std::{collections::BTreeMap, env};

use crate::export::EVERY_TRACE;

/// For a laptop, unless the environment says otherwise. Fulfilment takes its time, so that it can
/// be watched, and shows the customer's name. Polls are short, so that a service stops within a
/// second. Who runs a collector wants to see every trace.
const LAPTOP: [(&str, &str); 4] =
    [("PACE_MS", "1000"), ("BANNER", "on"), ("RECEIVE_WAIT_SECONDS", "1"), EVERY_TRACE];
/// Makes the services log JSON.
pub const LOG_FORMAT: (&str, &str) = ("LOG_FORMAT", "json");

/// The variables that reach the services if they are set; the first is a prefix. `PORT` does too,
/// as that of the page.
const PASSED_ON: [&str; 8] = [
    "OTEL_",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "MAX_IN_FLIGHT",
    "TOKIO_WORKER_THREADS",
    "OFFER",
    "DONE_WHEN",
    "TRACES_URL",
];

/// The variables, which override those of the manifests.
pub fn of_every_service() -> BTreeMap<String, String> {
    let laptop = LAPTOP.map(|(name, default)| {
        (name.to_owned(), env::var(name).unwrap_or_else(|_| default.to_owned()))
    });
    let passed_on = |name: &str| PASSED_ON.iter().any(|prefix| name.starts_with(prefix));
    let set = env::vars().filter(|(name, value)| passed_on(name) && !value.is_empty());
    let (name, value) = LOG_FORMAT;
    set.chain(laptop).chain([(name.to_owned(), value.to_owned())]).collect()
}
