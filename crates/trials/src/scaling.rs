//! What the scaling of the workers does, on a virtual clock.
//!
//! The policies and alarms are those of the templates. The account is a model: of CloudWatch, whose
//! datapoints come late, of Application Auto Scaling, of SQS, and of tasks as fast as measured.

use std::{fs, process::ExitCode};

use anyhow::Context as _;

mod task;

pub mod plant;

pub mod cloudwatch;

pub mod autoscaling;

pub mod world;

pub mod workspace;

pub mod measured;
pub mod patterns;

mod page;

use self::{
    measured::Measured,
    patterns::{PATTERNS, Worker},
    workspace::directory,
};

/// The page that has the figures, between these lines.
const PAGE: &str = "docs/scaling.md";
const BEGIN: &str = "<!-- written by `cargo run -p trials -- scaling` -->\n";
const END: &str = "<!-- end -->\n";
/// The service whose policies are tried. Those of the other workers are equal.
const WORKER: &str = "fulfilment";

/// The options of `scaling`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Write nothing; fail if a figure or a plot is not what would be written
    #[arg(long)]
    check: bool,
}

/// Writes the figures of the page and its plots, or checks them.
///
/// # Errors
///
/// If a template is wrong, or a file cannot be read or written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut stale = Vec::new();
    let (table, files) = files()?;
    anstream::print!("{table}");
    for (name, text) in files {
        let path = directory(&name);
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            stale.push(name);
            if !args.check {
                fs::write(&path, text).with_context(|| path.display().to_string())?;
            }
        }
    }
    for name in &stale {
        let what = if args.check { "is out of date: run this without --check" } else { "changed" };
        anstream::println!("{name} {what}");
    }
    Ok(if args.check && !stale.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The table, and the files with their texts.
fn files() -> anyhow::Result<(String, Vec<(String, String)>)> {
    let measured = Measured::read()?;
    let infrastructure = Worker::read(&directory("infrastructure"), WORKER)?;
    let copilot = Worker::read(&directory("copilot"), WORKER)?;
    let table = page::table(&infrastructure, &copilot, measured);
    let page = fs::read_to_string(directory(PAGE)).context(PAGE)?;
    let parts = page.split_once(BEGIN).zip(page.split_once(END));
    let ((before, _), (_, after)) = parts.with_context(|| format!("{PAGE} has no place"))?;
    let page = format!("{before}{BEGIN}\n{table}\n{END}{after}");
    let mut files = vec![(PAGE.to_owned(), page)];
    for pattern in &PATTERNS {
        let Some(name) = pattern.plot else { continue };
        let plot = page::plot(pattern, &infrastructure.meets(pattern, measured))?;
        files.push((format!("docs/images/scaling-{name}.svg"), plot));
    }
    Ok((table, files))
}
