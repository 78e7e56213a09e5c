//! Tests of the whole system: fault injection, the benchmark and, under `tests/`, the end-to-end
//! tests.

pub mod chaos;

pub mod bench;

mod usage;
