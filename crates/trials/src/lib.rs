//! Tests of the whole system: fault injection, the benchmark, the contract of the events and, under
//! `tests/`, the end-to-end tests.

pub mod chaos;

pub mod bench;

pub mod contract;

mod usage;
