//! A runtime for publish/subscribe on SNS and SQS. It works with any topics and any messages.
//!
//! [`run`] turns a function into a service with settings, logs, traces and a clean exit,
//! [`subscribe::subscribe`] receives from a queue, and [`topic::Topic`] publishes to a topic.

pub mod subscribe;

pub mod topic;

pub mod topics;

pub mod notification;

pub mod trace;

pub mod program;

pub mod aws;
pub mod env;
pub mod health;
pub mod shutdown;
pub mod telemetry;

pub use program::run;
