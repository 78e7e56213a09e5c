//! The console of a laptop: pages that show what the system does, and steer it.
//!
//! It costs the services nothing. It reads the account, whose [ledger](account::ledger) shows
//! messages without receiving them, the log lines that `local` reads anyway, and the spans that the
//! services send to any collector. It is part of `local`, and of no image of a service.
//!
//! Every page is made by the server, and made again each second while somebody looks at it: the
//! browser gets the new HTML as a server-sent event, and changes what differs. So a page has no
//! script of its own, and nothing runs while nobody looks. Lists are samples of bounded length, for
//! a system that handles a thousand orders a second.
//!
//! It is for this machine: it answers requests that name it as `localhost` and that no page of
//! another site sent, and what changes something needs a token that only its pages have.

pub mod logs;

pub mod processes;

pub mod spans;

pub mod otlp;

mod app;

mod server;

mod here;

mod usage;

mod pages;

mod acts;

pub mod sky;

mod traffic;

pub mod sample;

pub mod http;

pub mod times;

pub use app::Sources;
pub use server::{Console, Port};
