//! How the tasks of a service run: their size, their health, and their number.

use serde::Serialize;

use super::scaling::Scaling;

/// How the tasks of a service run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// The processor; 1024 units are one.
    pub cpu_units: u32,
    /// The memory.
    pub memory_mib: u32,
    /// The processor that its image is for.
    pub processor: Processor,
    /// Whether the container cannot write to its file system.
    pub is_read_only: bool,
    /// The port that it listens on for the load balancer.
    pub port: Option<u16>,
    /// How ECS asks the container for its health.
    pub health_check: Option<HealthCheck>,
    /// The time between SIGTERM and SIGKILL; ECS has 30 seconds.
    pub stop_timeout_seconds: Option<u32>,
    /// The image of the collector of spans and metrics beside it.
    pub collector_image: Option<String>,
    /// How new tasks replace old ones.
    pub replacement: Replacement,
    /// For how long logs are kept.
    pub log_retention_days: Option<u32>,
    /// How the load balancer treats it.
    pub balancing: Option<Balancing>,
    /// How its tasks scale.
    pub scaling: Option<Scaling>,
}

/// A kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Processor {
    /// 64-bit Intel and AMD.
    X86,
    /// 64-bit ARM.
    Arm,
}

/// How new tasks replace old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// Old ones run until new ones are healthy.
    Rolling,
    /// Old ones stop first.
    Recreate,
}

/// How ECS asks a container for its health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// The command.
    pub command: Vec<String>,
    /// The time between two checks.
    pub interval_seconds: u32,
    /// The time that a check may take.
    pub timeout_seconds: u32,
    /// The failures in a row that make it unhealthy.
    pub retries: u32,
    /// The time after the start in which failures do not count.
    pub start_period_seconds: u32,
}

/// How the load balancer treats a service's tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Balancing {
    /// The path that it asks for their health.
    pub health_path: String,
    /// The status codes of healthy tasks.
    pub success_codes: String,
    /// The successes in a row that make a task healthy.
    pub healthy_threshold: u32,
    /// The failures in a row that make it unhealthy.
    pub unhealthy_threshold: u32,
    /// The time between two checks.
    pub interval_seconds: u32,
    /// The time that a check may take.
    pub timeout_seconds: u32,
    /// The time after the start in which ECS passes over failures.
    pub grace_period_seconds: u32,
    /// The time that requests under way have before a task stops.
    pub deregistration_delay_seconds: u32,
}
