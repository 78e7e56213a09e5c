//! What every web service needs: a server with limits, problems as a page or as JSON, protected
//! pages, traced requests, and live updates.

pub mod serve;

pub mod site;

pub mod client;

pub mod body;

pub mod upload;

pub mod gate;

pub mod watch;

pub mod viewers;

pub mod problem;

pub mod audience;

pub mod guard;

pub mod spans;

pub mod live;

pub use audience::Audience;
pub use client::Client;
pub use problem::Problem;
