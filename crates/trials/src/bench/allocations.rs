//! How often the services allocate memory for an order, counted by the C library's `memusage`. The
//! debug builds are counted, because the others allocate by mimalloc.

use std::{collections::HashMap, path::Path, time::Duration};

use local::build;

use super::{
    report::Report,
    rig::{Rig, Way},
    scale::Scale,
    steady::{Goal, at},
};

const SECTION: &str = "An order at an easy rate";
/// The part of the GNU C library that counts, and prints the sums when a process exits.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/libmemusage.so", "/usr/lib/aarch64-linux-gnu/libmemusage.so"];
/// Orders a second: each call takes longer while it is counted.
const RATE: f64 = 50.0;

/// Counts with few orders and with more, so that starting and exiting do not count.
pub async fn measure(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let Some(library) = LIBRARIES.iter().find(|library| Path::new(library).is_file()) else {
        report.skip("allocations: this system has no libmemusage.so of the GNU C library");
        return Ok(());
    };
    let binaries = build::debug_binaries().await?;
    if build::binary(&binaries, "publisher").is_err() {
        report.skip("allocations: there are no debug builds of the services; run this with cargo");
        return Ok(());
    }
    let (few, fewer) = counted(&binaries, library, 1, report).await?;
    let (many, more) = counted(&binaries, library, 1 + scale.step_seconds, report).await?;
    for (service, calls) in &many {
        let calls = calls.saturating_sub(few.get(service).copied().unwrap_or_default());
        let name = format!("allocations per order: {service}");
        report.add(SECTION, name, calls as f64 / (more - fewer) as f64, "");
    }
    Ok(())
}

/// The allocations of each service, and the number of orders.
async fn counted(
    binaries: &Path,
    library: &str,
    seconds: u64,
    report: &mut Report,
) -> anyhow::Result<(HashMap<String, u64>, usize)> {
    let mut rig = Rig::set_up(binaries, Duration::ZERO).await?;
    rig.give("LD_PRELOAD", library);
    let step = at(Goal::Fulfilled, RATE, seconds, &rig, Way::Direct, report).await?;
    Ok((rig.progress().allocations, step.sent))
}
