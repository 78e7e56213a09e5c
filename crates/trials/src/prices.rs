//! What the system costs in a month, by what was counted and a dated list of prices.
//!
//! It writes the tables of `docs/costs.md`; a test compares them.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context as _;

mod bill;
mod list;
mod page;

pub use bill::{Layout, Month};
pub use list::{List, Numbers, Price};
pub use page::{alarms, amount, grouped, page};

/// The document.
pub const DOCUMENT: &str = "docs/costs.md";
/// What is below this line is written by [`run`].
const TABLES: &str = "\n## The tables\n\n";

/// The options of `prices`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Writes the tables.
///
/// # Errors
///
/// If the files of a deployment are wrong, or the document cannot be read or written.
pub fn run(_: &Args) -> anyhow::Result<ExitCode> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(DOCUMENT);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {DOCUMENT}"))?;
    fs::write(&path, written(&text)?).with_context(|| format!("writing {DOCUMENT}"))?;
    anstream::println!("{DOCUMENT} has the tables");
    Ok(ExitCode::SUCCESS)
}

/// The document with today's tables, in place of those that `text` has.
///
/// # Errors
///
/// If the files of a deployment are wrong, or the document has no place for the tables.
pub fn written(text: &str) -> anyhow::Result<String> {
    let (before, _) = text
        .split_once(TABLES)
        .with_context(|| format!("{DOCUMENT} has no heading {:?}", TABLES.trim()))?;
    Ok(format!("{before}{TABLES}{}", page()?))
}
