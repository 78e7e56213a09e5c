//! Writes the documents that follow from what was measured and counted, or checks them.

use std::{fs, process::ExitCode};

use anyhow::Context as _;

use crate::{
    paper, prices,
    scaling::{self, workspace::directory},
};

/// The page about scaling. What is between two of these lines, the first with its name, is written.
const SCALING: &str = "docs/scaling.md";
const END: &str = "<!-- end -->\n";

/// The options of `scaling`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Write nothing; fail if a figure or a plot is not what would be written
    #[arg(long)]
    check: bool,
}

/// Writes the tables of the pages and their plots, or checks them.
///
/// # Errors
///
/// If a template is wrong, or a file cannot be read or written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut stale = Vec::new();
    for (name, text) in files()? {
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

/// The files with their texts.
fn files() -> anyhow::Result<Vec<(String, String)>> {
    let read = |name| fs::read_to_string(directory(name)).context(name);
    let scaling = scaling::find()?;
    let page = filled(&read(SCALING)?, "targets", &scaling.targets)?;
    let page = filled(&page, "figures", &scaling.figures)?;
    let page = filled(&page, "paper", &paper::tables()?)?;
    let costs = prices::written(&read(prices::DOCUMENT)?)?;
    let pages = [(SCALING.to_owned(), page), (prices::DOCUMENT.to_owned(), costs)];
    Ok(pages.into_iter().chain(scaling.plots).collect())
}

/// The page with `text` in its part `name`.
fn filled(page: &str, name: &str, text: &str) -> anyhow::Result<String> {
    let begin = format!("<!-- {name}, written by `cargo run -p trials -- scaling` -->\n");
    let parts = page.split_once(&begin);
    let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        parts.with_context(|| format!("{SCALING} has no place for its {name}"))?;
    Ok(format!("{before}{begin}\n{text}\n{END}{after}"))
}
