//! Prints what the benchmark is doing.

/// Prints what is measured next.
pub fn progress(measurement: &str) {
    anstream::eprintln!("measuring {measurement}");
}

/// Prints what was found, where that decides what is measured next.
pub fn found(outcome: &str) {
    anstream::eprintln!("  {outcome}");
}
