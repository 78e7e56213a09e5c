//! The system on this machine, with nothing but Rust. It never ships.

pub mod system;

pub mod dead_letters;

pub mod build;
pub mod log;
pub mod process;
