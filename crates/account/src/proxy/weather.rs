//! The weather: an outage that another program on this machine asks for, until its time is over.
//!
//! A proxy that allows it answers `GET`, `PUT` and `DELETE` of one path itself. Only this machine
//! can reach it, and no page in a browser: a browser asks before it sends `PUT` or `DELETE` to
//! another site, and gets no permission here; and the name in `Host` has to be one of this machine.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::{Method, StatusCode, header::HOST, http::request::Parts};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::AbortHandle};

use super::{
    outage::{Calls, Outage},
    way::Way,
};

/// Where a proxy answers requests about the weather.
pub const PATH: &str = "/_weather";
/// All calls.
pub const EVERYTHING: &str = "everything";
/// What the names of operations begin with.
const SERVICES: [&str; 5] = ["DynamoDB", "S3", "SNS", "SQS", "Textract"];

/// An outage and its length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    /// What fails: `everything`; a service or an operation, such as `SQS.ReceiveMessage`; or the
    /// name of a table, topic or queue, or a part of it.
    pub of: String,
    /// In which way.
    pub how: Way,
    /// For how long, in seconds.
    pub seconds: u64,
}

/// The weather at a proxy, `None` if it is fair.
#[derive(Debug)]
pub(super) struct Station {
    now: watch::Sender<Option<Weather>>,
    /// Ends the weather in time.
    end: Mutex<Option<AbortHandle>>,
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} for {} s", self.of, self.how, self.seconds)
    }
}

impl Weather {
    fn outage(&self) -> Outage {
        let mut calls = Calls::default();
        if SERVICES.iter().any(|service| self.of.starts_with(service)) {
            calls.operation.clone_from(&self.of);
        } else if self.of != EVERYTHING {
            calls.mentions.clone_from(&self.of);
        }
        self.how.of_calls(vec![calls])
    }
}

impl Station {
    pub(super) fn new() -> Self {
        Self { now: watch::Sender::new(None), end: Mutex::default() }
    }

    /// The outage that it is now.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.now.borrow().as_ref().map(Weather::outage)
    }

    pub(super) fn changes(&self) -> watch::Receiver<Option<Weather>> {
        self.now.subscribe()
    }

    /// Begins this weather, in place of the former.
    fn set(&self, weather: Option<Weather>) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = end.take() {
            end.abort();
        }
        if let Some(Weather { seconds, .. }) = weather {
            let now = self.now.clone();
            let over = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                now.send_replace(None);
            });
            *end = Some(over.abort_handle());
        }
        self.now.send_replace(weather);
    }

    /// The status and the text that answer a request to [`PATH`].
    pub(super) fn answer(&self, head: &Parts, body: &[u8]) -> (StatusCode, String) {
        if !is_of_this_machine(head) {
            return (StatusCode::FORBIDDEN, "the host is not this machine".to_owned());
        }
        match head.method {
            Method::GET => {}
            Method::PUT => match serde_json::from_slice(body) {
                Ok(weather) => self.set(Some(weather)),
                Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
            },
            Method::DELETE => self.set(None),
            _ => return (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        }
        let now = serde_json::to_string(&*self.now.borrow()).unwrap_or_default();
        (StatusCode::OK, now)
    }
}

/// Whether the request names this machine. A page whose own name leads to this machine does not.
fn is_of_this_machine(head: &Parts) -> bool {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ["127.0.0.1", "localhost", "[::1]"].contains(&name)
}
