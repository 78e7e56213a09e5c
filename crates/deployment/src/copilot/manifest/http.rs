//! `http`: the requests that the load balancer sends to a service.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{address::AddressRange, overlay::overlay};
use crate::{
    bare,
    copilot::duration::Seconds,
    description::operation::Balancing,
    mistake::Wrong,
    within::Within,
    yaml::{ListOr, ShortOr},
};

/// Copilot's default for the time between two health checks.
const DEFAULT_INTERVAL_SECONDS: u32 = 30;
/// Copilot's default for the time that a health check may take.
const DEFAULT_TIMEOUT_SECONDS: u32 = 5;

/// The requests that the load balancer sends to a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    path: Option<String>,
    healthcheck: Option<ShortOr<String, HttpHealth>>,
    deregistration_delay: Option<Seconds<0, 3600>>,
    #[serde(default, deserialize_with = "bare::optional")]
    stickiness: Option<bool>,
    alias: Option<Spanned<Aliases>>,
    hosted_zone: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "bare::spanned")]
    redirect_to_https: Option<Spanned<bool>>,
    allowed_source_ips: Option<Spanned<Vec<AddressRange>>>,
}

/// The most names and addresses that a rule of the load balancer takes.
const MAX_NAMES: usize = 4;

/// The names that the load balancer answers to.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct Aliases(ListOr<ShortOr<String, Alias>, NoMap>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alias {
    #[serde(rename = "name")]
    _name: String,
    hosted_zone: Option<String>,
}

/// What a list may not be instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMap {}

impl Aliases {
    fn names(&self) -> &[ShortOr<String, Alias>] {
        match &self.0 {
            ListOr::List(names) => names,
            ListOr::Long(_) => &[],
        }
    }

    fn count(&self) -> usize {
        self.names().len()
    }

    fn zones(&self) -> impl Iterator<Item = &str> {
        self.names().iter().filter_map(|it| match it {
            ShortOr::Long(alias) => alias.hosted_zone.as_deref(),
            ShortOr::Short(_) => None,
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpHealth {
    path: Option<String>,
    #[serde(default, deserialize_with = "bare::optional")]
    port: Option<u16>,
    success_codes: Option<String>,
    #[serde(default, deserialize_with = "bare::optional")]
    healthy_threshold: Option<Within<2, 10>>,
    #[serde(default, deserialize_with = "bare::optional")]
    unhealthy_threshold: Option<Within<2, 10>>,
    interval: Option<Spanned<Seconds<5, 300>>>,
    timeout: Option<Spanned<Seconds<2, 120>>>,
    grace_period: Option<Seconds<0, 2_147_483_647>>,
}

overlay!(Http:
    merges(healthcheck),
    replaces(
        path, deregistration_delay, stickiness, alias, hosted_zone, redirect_to_https,
        allowed_source_ips
    )
);

overlay!(HttpHealth:
    merges(),
    replaces(
        path, port, success_codes, healthy_threshold, unhealthy_threshold, interval, timeout,
        grace_period
    )
);

impl Http {
    pub(super) fn check(http: &Spanned<Self>) -> Result<(), Wrong> {
        if http.value.path.is_none() {
            return Err((http.referenced, "http.path: Copilot needs it".to_owned()));
        }
        http.value.check_names()?;
        match &http.value.healthcheck {
            Some(ShortOr::Long(health)) => health.check(),
            _ => Ok(()),
        }
    }

    /// A rule of a load balancer has five conditions at most, of which the path is one.
    fn check_names(&self) -> Result<(), Wrong> {
        let names = self.alias.as_ref().map_or(0, |it| it.value.count());
        let addresses = self.allowed_source_ips.as_ref().map_or(0, |it| it.value.len());
        let place = self.alias.as_ref().map(|it| it.referenced);
        let place = place.or(self.allowed_source_ips.as_ref().map(|it| it.referenced));
        match (place, &self.hosted_zone) {
            (Some(place), _) if names + addresses > MAX_NAMES => Err((
                place,
                format!(
                    "http.alias: with allowed_source_ips it has {} values, but a rule of the load \
                     balancer takes {MAX_NAMES}",
                    names + addresses
                ),
            )),
            (_, Some(zone)) if names == 0 => {
                Err((zone.referenced, "http.hosted_zone: it needs http.alias".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The zones in which its names are, if they are not those of Copilot.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        let own = self.hosted_zone.as_ref().map(|it| it.value.as_str());
        self.alias.iter().flat_map(|it| it.value.zones()).chain(own)
    }

    /// Whether Copilot can deploy it to an environment that has these certificates of its own. A
    /// domain of the application would do as well, but no file says whether there is one.
    ///
    /// # Errors
    ///
    /// The first key that does not fit.
    pub fn check_certificates(http: &Spanned<Self>, has_some: bool) -> Result<(), Wrong> {
        let zoned = http.value.alias.as_ref().filter(|it| it.value.zones().next().is_some());
        match (&http.value.alias, zoned) {
            (None, _) if has_some => {
                let what = "http.alias: it is missing, and the environment has certificates";
                Err((http.referenced, what.to_owned()))
            }
            (_, Some(alias)) if !has_some => {
                let what = "http.alias.hosted_zone: it needs http.public.certificates in the \
                            environment";
                Err((alias.referenced, what.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl Http {
    /// The path that the load balancer asks for the health of a task.
    pub fn health_path(&self) -> &str {
        let path = match &self.healthcheck {
            Some(ShortOr::Short(path)) => Some(path),
            Some(ShortOr::Long(health)) => health.path.as_ref(),
            None => None,
        };
        path.map_or("/", String::as_str)
    }

    /// How the load balancer treats the tasks, with the defaults of Copilot and AWS.
    pub fn described(&self) -> Balancing {
        let health = match &self.healthcheck {
            Some(ShortOr::Long(health)) => health.clone(),
            _ => HttpHealth::default(),
        };
        let threshold = |given: Option<Within<2, 10>>, default| given.map_or(default, |it| it.0);
        Balancing {
            health_path: self.health_path().to_owned(),
            success_codes: health.success_codes.unwrap_or_else(|| "200".to_owned()),
            healthy_threshold: threshold(health.healthy_threshold, 5),
            unhealthy_threshold: threshold(health.unhealthy_threshold, 2),
            interval_seconds: health.interval.map_or(DEFAULT_INTERVAL_SECONDS, |it| it.value.0),
            timeout_seconds: health.timeout.map_or(DEFAULT_TIMEOUT_SECONDS, |it| it.value.0),
            grace_period_seconds: health.grace_period.map_or(60, |it| it.0),
            deregistration_delay_seconds: self.deregistration_delay.map_or(60, |it| it.0),
        }
    }

    /// The parts of Copilot's target group that apply, by their names in the outline.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'static str> {
        let health = match &self.healthcheck {
            Some(ShortOr::Long(health)) => Some(health),
            _ => None,
        };
        let parts = health.map(|health| {
            [
                ("health_check_codes", health.success_codes.is_some()),
                ("health_check_interval", health.interval.is_some()),
                ("health_check_port", health.port.is_some()),
                ("health_check_timeout", health.timeout.is_some()),
                ("healthy_threshold", health.healthy_threshold.is_some()),
                ("unhealthy_threshold", health.unhealthy_threshold.is_some()),
            ]
        });
        let https = if self.alias.is_some() { "https" } else { "http" };
        parts.into_iter().flatten().filter_map(|(part, holds)| holds.then_some(part)).chain([https])
    }
}

impl HttpHealth {
    /// The load balancer rejects health checks that overlap.
    fn check(&self) -> Result<(), Wrong> {
        let interval = self.interval.as_ref().map_or(DEFAULT_INTERVAL_SECONDS, |it| it.value.0);
        let timeout = self.timeout.as_ref().map_or(DEFAULT_TIMEOUT_SECONDS, |it| it.value.0);
        let place = self.timeout.as_ref().map(|it| it.referenced);
        let place = place.or(self.interval.as_ref().map(|it| it.referenced));
        match place {
            Some(place) if timeout >= interval => {
                let what = format!(
                    "http.healthcheck.timeout: {timeout} s should be less than the interval of \
                     {interval} s"
                );
                Err((place, what))
            }
            _ => Ok(()),
        }
    }
}
