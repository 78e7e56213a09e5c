//! `http`: the requests that the load balancer sends to a service.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::overlay::overlay;
use crate::{
    bare, copilot::duration::Seconds, description::operation::Balancing, mistake::Wrong,
    within::Within, yaml::ShortOr,
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

overlay!(Http: merges(healthcheck), replaces(path, deregistration_delay, stickiness));

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
        match &http.value.healthcheck {
            Some(ShortOr::Long(health)) => health.check(),
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
        parts.into_iter().flatten().filter_map(|(part, holds)| holds.then_some(part))
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
