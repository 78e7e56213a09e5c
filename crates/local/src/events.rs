//! The events of the past, which [`archive`] keeps: they can be listed, shown, and replayed to one
//! subscriber.

pub mod command;

pub mod replay;

pub mod selection;

mod subscriptions;

mod shown;
