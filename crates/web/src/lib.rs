//! What every web service needs: problems as a page or as JSON, protected pages, traced requests,
//! and live updates.

pub mod watch;

pub mod problem;

pub mod audience;

pub mod guard;

pub mod spans;

pub mod live;

pub use audience::Audience;
pub use problem::Problem;
