//! What the publisher and the subscribers agree on.
//!
//! A subscriber needs three things from here: [`run`] turns its `serve` function into a program,
//! [`subscribe::subscribe`] receives from its queue, and [`event::Event`] is what it receives.

pub mod order;

pub mod event;

pub mod topic;

pub mod status;

pub mod timeline;

pub mod trace;

pub mod notification;

pub mod subscribe;

pub mod aws;
pub mod env;
pub mod health;
pub mod program;
pub mod shutdown;
pub mod telemetry;

pub use program::{Program, run};
