//! `image`, `platform`, `storage`, `cpu` and `memory`: the container of a task.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{dependencies::DependsOn, overlay::overlay, service_type::ServiceType};
use crate::{
    bare,
    copilot::duration::Seconds,
    description::operation,
    mistake::Wrong,
    within::Within,
    yaml::{Scalar, ShortOr},
};

/// The image of a container.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    build: Option<ShortOr<String, Build>>,
    location: Option<Spanned<String>>,
    /// The port that it listens on for the load balancer.
    #[serde(default, deserialize_with = "bare::spanned")]
    pub port: Option<Spanned<u16>>,
    /// The health check by ECS.
    pub healthcheck: Option<Spanned<ContainerHealth>>,
    /// The sidecars that it waits for.
    pub depends_on: Option<DependsOn>,
}

/// How to build an image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only to check it; a local account needs no images")]
pub struct Build {
    dockerfile: Option<String>,
    context: Option<String>,
    target: Option<String>,
    #[serde(default)]
    args: BTreeMap<String, Scalar>,
    #[serde(default)]
    cache_from: Vec<String>,
}

/// The health check of a container by ECS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerHealth {
    command: Option<Vec<String>>,
    interval: Option<Seconds<5, 300>>,
    timeout: Option<Seconds<2, 60>>,
    #[serde(default, deserialize_with = "bare::optional")]
    retries: Option<Within<1, 10>>,
    start_period: Option<Seconds<0, 300>>,
}

overlay!(Image: merges(healthcheck), replaces(build, location, port, depends_on));

impl Image {
    pub(super) fn check(image: &Spanned<Self>, service_type: ServiceType) -> Result<(), Wrong> {
        let Self { build, location, port, healthcheck, .. } = &image.value;
        match (build, location) {
            (Some(_), Some(location)) => {
                let what = "image.location: it excludes image.build";
                return Err((location.referenced, what.to_owned()));
            }
            (None, None) => {
                return Err((image.referenced, "image: it has neither build nor location".into()));
            }
            _ => {}
        }
        match (service_type, port) {
            (ServiceType::LoadBalanced, None) => {
                let what = "image.port: a Load Balanced Web Service needs it";
                return Err((image.referenced, what.to_owned()));
            }
            (ServiceType::Worker, Some(port)) => {
                let what = "image.port: Copilot ignores it in a Worker Service";
                return Err((port.referenced, what.to_owned()));
            }
            _ => {}
        }
        healthcheck.as_ref().map_or(Ok(()), ContainerHealth::check)
    }
}

overlay!(ContainerHealth:
    merges(), replaces(command, interval, timeout, retries, start_period));

impl ContainerHealth {
    /// Without a command, Copilot would run `curl`, which the images do not contain.
    fn check(health: &Spanned<Self>) -> Result<(), Wrong> {
        let command = health.value.command.as_deref().unwrap_or_default();
        match command.first().map(String::as_str) {
            Some("CMD" | "CMD-SHELL") if command.len() > 1 => Ok(()),
            _ => {
                let what = "image.healthcheck.command: it has to begin with CMD or \
                            CMD-SHELL, and the command has to follow";
                Err((health.referenced, what.to_owned()))
            }
        }
    }
}

impl ContainerHealth {
    /// The check, with Copilot's defaults.
    pub fn described(&self) -> operation::HealthCheck {
        operation::HealthCheck {
            command: self.command.clone().unwrap_or_default(),
            interval_seconds: self.interval.map_or(10, |it| it.0),
            timeout_seconds: self.timeout.map_or(5, |it| it.0),
            retries: self.retries.map_or(2, |it| it.0),
            start_period_seconds: self.start_period.map_or(0, |it| it.0),
        }
    }
}

/// The operating system and processor of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Platform {
    /// 64-bit Intel and AMD.
    X86,
    /// 64-bit ARM.
    Arm,
}

impl TryFrom<String> for Platform {
    type Error = String;

    /// Copilot takes either case.
    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "linux/x86_64" | "linux/amd64" => Ok(Self::X86),
            "linux/arm64" | "linux/arm" => Ok(Self::Arm),
            text if text.starts_with("windows/") => Err(format!(
                "{text}: Copilot takes it, but it is not supported by the local account"
            )),
            _ => {
                Err(format!("{text:?} is not linux/x86_64, linux/amd64, linux/arm64 or linux/arm"))
            }
        }
    }
}

/// A container's file system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Whether it is read-only.
    #[serde(default, deserialize_with = "bare::optional")]
    pub readonly_fs: Option<bool>,
    /// GiB.
    #[serde(default, deserialize_with = "bare::optional")]
    pub ephemeral: Option<Within<20, 200>>,
}

overlay!(Storage: merges(), replaces(readonly_fs, ephemeral));

/// The sizes of Fargate tasks: units of `cpu`, the least and the most memory in MiB, and its step.
///
/// From the Amazon ECS developer guide, "Task CPU and memory". With 256 units, 512 MiB are possible
/// too.
const SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 1024, 2048, 1024),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];

/// Copilot's default: 1024 units are one processor.
pub const DEFAULT_CPU_UNITS: u32 = 256;
/// Copilot's default.
pub const DEFAULT_MEMORY_MIB: u32 = 512;

/// Whether Fargate offers this size.
pub(super) fn check_size(
    cpu: Option<&Spanned<u32>>,
    memory: Option<&Spanned<u32>>,
) -> Result<(), Wrong> {
    let units = cpu.map_or(DEFAULT_CPU_UNITS, |it| it.value);
    let mib = memory.map_or(DEFAULT_MEMORY_MIB, |it| it.value);
    let size = SIZES.into_iter().find(|size| size.0 == units);
    match (size, cpu, memory.or(cpu)) {
        (None, Some(cpu), _) => {
            let sizes = SIZES.map(|size| size.0);
            Err((cpu.referenced, format!("cpu: Fargate has {sizes:?}, not {units}")))
        }
        (Some((_, least, most, step)), _, Some(place)) if (units, mib) != (256, 512) => {
            if (least..=most).contains(&mib) && mib.is_multiple_of(step) {
                return Ok(());
            }
            let also = if units == 256 { "512 MiB, and " } else { "" };
            let what = format!(
                "memory: with a cpu of {units} Fargate has {also}{least} to {most} MiB in steps \
                 of {step}, not {mib}"
            );
            Err((place.referenced, what))
        }
        _ => Ok(()),
    }
}
