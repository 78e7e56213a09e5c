//! The contract as documents: JSON Schemas and an AsyncAPI document of all events, and whether they
//! are compatible with those of the last release.

use std::{fs, io, path::Path, process::ExitCode};

use serde_json::Value;

mod asyncapi;

pub mod compatibility;

pub mod schemas;

use schemas::{DIRECTORY, Documents, RELEASED, directory, released, schemas};

/// The options of `contract`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Write nothing; fail if a document is not what would be written
    #[arg(long, conflicts_with = "release")]
    check: bool,
    /// After a release: what is sent today is what the next release has to be compatible with
    #[arg(long)]
    release: bool,
}

/// Writes the documents, or checks them, and prints what breaks for whom.
///
/// # Errors
///
/// If a manifest is wrong, or a file cannot be read or written.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let directory = directory();
    let mut documents = schemas();
    let breaks = compatibility::breaks(&released()?, &documents);
    documents.insert("asyncapi.json".to_owned(), asyncapi::document().await?);
    let mut stale = Vec::new();
    for (name, document) in &documents {
        if fs::read_to_string(directory.join(name)).ok() != Some(text(document)) {
            stale.push(name.as_str());
        }
    }
    for sentence in &breaks {
        anstream::println!("refused: {sentence}");
    }
    if args.check {
        for name in &stale {
            anstream::println!("{DIRECTORY}/{name} is out of date: run this without --check");
        }
    } else {
        write(&directory, &documents)?;
        anstream::println!("{} of {} documents changed", stale.len(), documents.len());
    }
    if args.release && breaks.is_empty() {
        write(&directory.join(RELEASED), &schemas())?;
        anstream::println!("{DIRECTORY}/{RELEASED} is what is sent today");
    }
    let is_good = breaks.is_empty() && (stale.is_empty() || !args.check);
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(directory: &Path, documents: &Documents) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, document) in documents {
        fs::write(directory.join(name), text(document))?;
    }
    Ok(())
}

fn text(document: &Value) -> String {
    format!("{document:#}\n")
}
