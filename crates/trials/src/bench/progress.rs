//! Prints what the benchmark is doing.

/// Prints what is measured next.
pub fn progress(measurement: &str) {
    anstream::eprintln!("measuring {measurement}");
}
