//! Reads pictures of receipts, and accepts or rejects them.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use pubsub::Worker;
use receipts::PROGRESS_TOPIC;

mod scan;

mod attempt;

mod pictures;

mod textract;

use pictures::Pictures;
use scan::Scanner;
use textract::Textract;

/// How long a scan may take: far longer than the visibility timeout, which is renewed meanwhile.
const DEADLINE: Duration = Duration::from_secs(100);
/// How long the drain leaves scans to finish. The `StopTimeout` in the patches is longer.
const DRAIN: Duration = Duration::from_secs(110);

/// Reads pictures of receipts by Amazon Textract, and accepts or rejects them
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {}

fn main() -> ExitCode {
    Worker::new().handler_deadline(DEADLINE).drain(DRAIN).run(async |_: Settings, startup| {
        Ok(Scanner {
            pictures: Pictures::new(startup.aws()),
            textract: Textract::new(startup.aws()),
            progress: startup.topic(PROGRESS_TOPIC)?,
        })
    })
}
