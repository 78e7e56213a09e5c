//! The AWS account on a laptop, and everything that tests the product. It never ships.

pub mod system;

pub mod endpoint;
pub mod provision;

pub mod copilot;

pub mod bench;
pub mod chaos;

pub mod dead_letters;

pub mod proxy;

pub mod build;
pub mod log;
pub mod process;
