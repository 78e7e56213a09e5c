//! The system on a laptop, as `cargo run -p local` runs it. It is never deployed.

pub mod system;

pub mod task;

pub mod dead_letters;

pub mod events;

pub mod build;
pub mod guard;
pub mod inspect;
pub mod log;
pub mod port;
pub mod process;
pub mod running;
pub mod secrets;
pub mod tables;
