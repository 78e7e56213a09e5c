//! Where other programs on this machine change the weather, until its time is over.
//!
//! A proxy that allows it answers `GET`, `PUT` and `DELETE` of one path itself. Only this machine
//! may ask, wherever the proxy listens, and no page in a browser: a browser asks before it sends
//! `PUT` or `DELETE` to another site, and gets no permission here; and the name in `Host` has to be
//! one of this machine.
//! Each answer is all weather that there is then, as JSON, with the seconds that are left.

use std::{net::IpAddr, time::Duration};

use hyper::{Method, StatusCode, header::HOST, http::request::Parts};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    call::Call,
    plan::Fault,
    twice::Twice,
    weather::{Begun, How, Weather},
};

/// Where a proxy answers requests about the weather.
pub const PATH: &str = "/_weather";

/// The weather at a proxy, the narrowest parts first; none where it is fair.
#[derive(Clone, Debug)]
pub(super) struct Station {
    now: watch::Sender<Vec<Begun>>,
    twice: Twice,
}

impl Station {
    /// Fair weather everywhere.
    pub(super) fn new(twice: Twice) -> Self {
        Self { now: watch::Sender::default(), twice }
    }

    /// The fault of a call, by the narrowest part that it belongs to.
    pub(super) fn fault_of(&self, call: &Call, body: &[u8]) -> Option<Fault> {
        let now = self.now.borrow();
        now.iter().find_map(|it| it.weather.outage()?.fault_of(call, body))
    }

    pub(super) fn changes(&self) -> watch::Receiver<Vec<Begun>> {
        self.now.subscribe()
    }

    /// The status and the text that answer a request to [`PATH`]: `PUT` begins a list of weather,
    /// `DELETE` ends that of a list of parts, or all. `within` is the address of this machine to
    /// which the request was sent, if it was sent from there.
    pub(super) fn answer(
        &self,
        head: &Parts,
        body: &[u8],
        within: Option<IpAddr>,
    ) -> (StatusCode, String) {
        if !within.is_some_and(|own| names(head, own)) {
            return (StatusCode::FORBIDDEN, "only this machine may ask, by its name".to_owned());
        }
        let done = match head.method {
            Method::GET => Ok(()),
            Method::PUT => serde_json::from_slice(body)
                .map_err(|error| error.to_string())
                .and_then(|weather: Vec<Weather>| {
                    weather.iter().try_for_each(Weather::check)?;
                    self.begin(weather);
                    Ok(())
                }),
            Method::DELETE if body.is_empty() => {
                self.change(Vec::clear);
                Ok(())
            }
            Method::DELETE => serde_json::from_slice(body)
                .map(|parts: Vec<String>| {
                    self.change(|now| now.retain(|it| !parts.contains(&it.weather.of)));
                })
                .map_err(|error| error.to_string()),
            _ => return (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        };
        if let Err(why) = done {
            return (StatusCode::BAD_REQUEST, why);
        }
        let now: Vec<_> = self.now.borrow().iter().map(Begun::rest).collect();
        (StatusCode::OK, serde_json::to_string(&now).unwrap_or_default())
    }

    /// Begins this weather, in place of the former of the same parts.
    fn begin(&self, weather: Vec<Weather>) {
        let began = Instant::now();
        for weather in weather {
            let until = began + Duration::from_secs(weather.seconds);
            self.change(|now| {
                now.retain(|it| it.weather.of != weather.of);
                now.push(Begun { weather, until });
                now.sort_by_key(|it| it.weather.breadth());
            });
            let station = self.clone();
            tokio::spawn(async move {
                sleep_until(until).await;
                // A newer one of the same part lasts its own time.
                station.change(|now| now.retain(|it| it.until > Instant::now()));
            });
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Begun>)) {
        self.now.send_if_modified(|now| {
            let before = now.clone();
            change(now);
            let twice = now.iter().find_map(|it| match it.weather.how {
                How::Twice(percent) => Some(percent),
                How::Fails(_) => None,
            });
            self.twice.set(twice.unwrap_or_default());
            *now != before
        });
    }
}

/// Whether the request names this machine, which has the address `own`. A page whose own name leads
/// here does not.
fn names(head: &Parts, own: IpAddr) -> bool {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse();
    name == "localhost" || address.is_ok_and(|it: IpAddr| it.is_loopback() || it == own)
}
