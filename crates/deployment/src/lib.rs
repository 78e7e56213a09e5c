//! Reads the files that describe a deployment, as data. It needs neither AWS nor a runtime.

pub mod copilot;
