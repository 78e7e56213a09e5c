//! The contract of this system: what the publisher and the subscribers agree on.
//!
//! The publisher sends an [`event::Event`], a subscriber answers with a [`report::Report`], and a
//! [`timeline::Timeline`] is what the reports say about an order. [`contract::EVENTS`] lists all
//! types of events, from which `docs/events` is generated.

pub mod keep;

pub mod order;

pub mod idempotency;

mod visible;

pub mod event;

pub mod report;

pub mod payment;

pub mod timeline;

pub mod measure;

pub mod contract;

pub mod examples;

#[cfg(test)]
mod golden;
