//! How a service runs, as its manifest says.

use crate::{
    copilot::{
        manifest::{
            container::{DEFAULT_CPU_UNITS, DEFAULT_MEMORY_MIB, Platform},
            operation::{Logging, Rolling, Rollout},
        },
        service::ServiceFiles,
    },
    description::{
        operation::{Operation, Processor, Replacement},
        scaling::Scaling,
    },
    scaling::Policies,
    yaml::ShortOr,
};

/// Copilot's default.
const DEFAULT_LOG_RETENTION_DAYS: u32 = 30;

/// How the service of `files` runs.
pub fn of(files: &ServiceFiles) -> Operation {
    let manifest = &files.manifest;
    let image = manifest.image.as_ref().map(|it| &it.value);
    let logging = manifest.logging.as_ref().and_then(|Logging { retention }| *retention);
    let rollout = manifest.deployment.as_ref().and_then(|Rollout { rolling }| *rolling);
    Operation {
        cpu_units: manifest.cpu.as_ref().map_or(DEFAULT_CPU_UNITS, |it| it.value),
        memory_mib: manifest.memory.as_ref().map_or(DEFAULT_MEMORY_MIB, |it| it.value),
        processor: match manifest.platform.as_ref().map(|it| it.value) {
            Some(Platform::Arm) => Processor::Arm,
            _ => Processor::X86,
        },
        is_read_only: manifest.storage.as_ref().is_some_and(|it| it.readonly_fs == Some(true)),
        port: image.and_then(|it| it.port.as_ref()).map(|port| port.value),
        health_check: (image.and_then(|it| it.healthcheck.as_ref())).map(|it| it.value.described()),
        stop_timeout_seconds: files.patched.stop_timeout_seconds,
        collector_image: files.patched.collector_image.clone(),
        replacement: match rollout {
            Some(Rolling::Recreate) => Replacement::Recreate,
            _ => Replacement::Rolling,
        },
        log_retention_days: Some(logging.map_or(DEFAULT_LOG_RETENTION_DAYS, |it| it.0)),
        balancing: manifest.http.as_ref().map(|http| http.value.described()),
        scaling: match &manifest.count {
            Some(ShortOr::Long(count)) => count.described().map(|it| patched(it, files)),
            _ => None,
        },
    }
}

/// What patches add to the scaling that the manifest describes.
fn patched(mut scaling: Scaling, files: &ServiceFiles) -> Scaling {
    let Policies { targets, steps } = files.patched.scaling.clone();
    scaling.targets.extend(targets);
    scaling.steps.extend(steps);
    scaling
}
