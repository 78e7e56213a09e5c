//! What the whole system is held to: chaos, the benchmark, and under `tests/` the end-to-end tests.

pub mod chaos;

pub mod bench;
