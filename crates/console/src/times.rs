//! Times as a person reads them.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, tz::TimeZone};

/// The time of day on this machine, to the millisecond.
pub fn clock(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()
}

/// The same for a time of the system.
pub fn clock_of(at: SystemTime) -> String {
    Timestamp::try_from(at).map(clock).unwrap_or_default()
}

/// How long ago it was, in its largest unit.
pub fn age(at: SystemTime) -> String {
    in_words(SystemTime::now().duration_since(at).unwrap_or_default())
}

/// A duration in its largest unit: `3 d`, `2 h`, `5 min` or `40 s`.
pub fn in_words(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Milliseconds, with a decimal if there are few.
pub fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1_000.0;
    if millis < 100.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}
