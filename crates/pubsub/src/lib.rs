//! A runtime for publish/subscribe on SNS and SQS. It works with any topics and any messages.
//!
//! # A worker
//!
//! A worker receives from one queue, calls a handler for each message, and deletes the message
//! after the handler has succeeded. This is a complete one. It reads any message that is a JSON
//! object with a `name`, and publishes an answer to the topic `greetings`:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use pubsub::{
//!     Worker,
//!     notification::Notification,
//!     subscribe::{Failure, Handler, Json},
//!     topic::{Message, Topic},
//! };
//!
//! /// Greets everyone
//! #[derive(clap::Parser)]
//! #[command(version)]
//! struct Settings {
//!     /// What to say before the name
//!     #[arg(long, env = "GREETING", default_value = "Hello")]
//!     greeting: String,
//! }
//!
//! struct Greeter {
//!     greeting: String,
//!     greetings: Topic,
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Guest {
//!     name: String,
//! }
//!
//! impl Handler<Json<Guest>> for Greeter {
//!     async fn handle(
//!         &self,
//!         Json(guest): Json<Guest>,
//!         notification: Notification,
//!     ) -> Result<(), Failure> {
//!         let greeting = Message {
//!             body: format!("{}, {}!", self.greeting, guest.name),
//!             attributes: Vec::new(),
//!             group: guest.name,
//!             deduplication_id: notification.message_id,
//!         };
//!         self.greetings.publish(greeting).await?;
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     Worker::new().run(async |settings: Settings, startup| {
//!         Ok(Greeter { greeting: settings.greeting, greetings: startup.topic("greetings")? })
//!     })
//! }
//! ```
//!
//! Its settings are environment variables with the names that AWS Copilot uses, or options;
//! `--help` lists them. It logs to standard output, answers a health check, drains on SIGTERM, and
//! exits with a code that says what happened: see [`Worker::run`]. [`subscribe`] has the guarantees
//! for messages, and what a handler may assume. The feature `testing` tests a handler without AWS.
//!
//! # Other services
//!
//! [`run`] is the same for a service that is not, or not only, a worker.
//! [`subscribe::subscribe`] receives from a queue within a service, and [`topic::Topic`] publishes
//! to a topic.
//!
//! With the feature `mimalloc`, a release build of a service allocates memory by mimalloc and not
//! by the C library, which takes more than a tenth off the processor time of an order. Services
//! enable it, and libraries do not: a program has one allocator.

#[cfg(not(unix))]
compile_error!("this needs Unix signals: on Windows, use WSL 2 or `docker compose up --build`");

mod worker;

pub mod subscribe;

pub mod topic;

pub mod topics;

pub mod notification;

pub mod replay;

pub mod trace;

pub mod metrics;
mod operation;

pub mod program;

pub mod aws;
pub mod env;
pub mod health;
pub mod limits;
pub mod shutdown;
pub mod telemetry;
pub mod unavailable;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use program::run;
pub use worker::{Startup, Worker};
