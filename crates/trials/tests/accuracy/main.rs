//! How well the second sample reads receipts that were drawn with known values, on a laptop.
//!
//! Needs what `.ci/receipts` installs and draws, and runs only with `OCR_TESTS=on`.

use std::{collections::BTreeMap, env, fs, path::Path, process::ExitCode};

use anyhow::{Context as _, ensure};
use serde_json::Value;

#[path = "../receipts/sample.rs"]
mod sample;
#[path = "../receipts/textract.rs"]
mod textract;

use sample::{Differences, Sample};

const SWITCH: &str = "OCR_TESTS";
/// The least share of receipts that are read without a mistake, in percent. A picture that is
/// rejected costs a person a second picture; one that is read wrong would cost money.
const LEAST_PERCENT: usize = 60;

/// What became of the pictures of one quality.
#[derive(Debug, Default)]
struct Tally {
    pictures: usize,
    right: usize,
    rejected: Vec<String>,
    wrong: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    if !env::var(SWITCH).is_ok_and(|it| it == "on") {
        println!(
            "accuracy: off, nothing was read. `.ci/receipts` installs what it needs, draws the"
        );
        println!("receipts and runs it.");
        return Ok(ExitCode::SUCCESS);
    }
    let drawn = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/receipts");
    let expected = fs::read_to_string(drawn.join("expected.json"));
    let expected = expected.context("no receipts are drawn: run .ci/receipts")?;
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected)?;
    let sample = Sample::start(Differences { reads: true, ..Differences::default() }).await?;
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for (name, expected) in &expected {
        let id = sample.send(fs::read(drawn.join(name))?).await?;
        let verdict = sample.verdict(id).await?["verdict"].clone();
        let tally = tallies.entry(name.split('-').next().unwrap_or_default()).or_default();
        tally.pictures += 1;
        match &verdict["accepted"] {
            Value::Null => tally.rejected.push(format!("{name}: {}", verdict["rejected"])),
            read if read == expected => tally.right += 1,
            read => {
                // An item or a name may be misread; what is paid may not.
                let (paid, printed) = (&read["total"], &expected["total"]);
                ensure!(paid == printed, "{name}: {paid} is to be paid in place of {printed}");
                tally.wrong.push(format!("{name}: {read} in place of {expected}"));
            }
        }
    }
    println!("{:10} {:>8} {:>6} {:>9} {:>6}", "quality", "pictures", "right", "rejected", "wrong");
    for (quality, Tally { pictures, right, rejected, wrong }) in &tallies {
        println!("{quality:10} {pictures:8} {right:6} {:9} {:6}", rejected.len(), wrong.len());
    }
    for tally in tallies.values() {
        tally.rejected.iter().for_each(|it| println!("rejected: {it}"));
        tally.wrong.iter().for_each(|it| println!("wrong: {it}"));
    }
    let right: usize = tallies.values().map(|tally| tally.right).sum();
    ensure!(sample.drained().await? == 0, "there are dead letters");
    sample.system.stop().await?;
    ensure!(100 * right >= LEAST_PERCENT * expected.len(), "only {right} were read right");
    Ok(ExitCode::SUCCESS)
}
