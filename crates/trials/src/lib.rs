//! Tests of the whole system: fault injection, the benchmark, the contract of the events, the
//! scaling of the workers, the bill, the documents that have both and, under `tests/`, the
//! end-to-end tests.

pub mod chaos;

pub mod bench;

pub mod contract;

pub mod scaling;

pub mod prices;

mod paper;

pub mod pages;

mod usage;
