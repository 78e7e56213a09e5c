//! Reads the files that describe a deployment, as data. It needs neither AWS nor a runtime.
//!
//! A [`Deployment`] lists the resources to create in an AWS account and the variables that each
//! service gets. [`copilot::read`] reads one from the files of AWS Copilot. Nothing in a
//! [`Deployment`] belongs to Copilot, so a reader of plain CloudFormation templates can produce
//! one too.

pub mod description;

pub mod cloudformation;

pub mod copilot;

mod mistake;

mod files;
mod within;
mod yaml;

pub use description::Deployment;
pub use mistake::Mistake;
