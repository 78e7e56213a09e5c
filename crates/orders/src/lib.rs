//! The contract of this system: what the publisher and the subscribers agree on.
//!
//! The publisher sends an [`event::Event`], a subscriber answers with a [`report::Report`], and a
//! [`timeline::Timeline`] is what the reports say about an order.

pub mod keep;

pub mod order;

pub mod idempotency;

mod visible;

pub mod event;

pub mod report;

pub mod timeline;

#[cfg(test)]
mod golden;
