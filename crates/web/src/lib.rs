//! What every web service does, whatever it is about: it tells problems in the form that the one who
//! asked reads, protects its pages, and shows what changes while it changes.

pub mod watch;

pub mod problem;

pub mod audience;

pub mod guard;

pub mod spans;

pub mod live;

pub use audience::Audience;
pub use problem::Problem;
