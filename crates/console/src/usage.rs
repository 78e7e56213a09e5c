//! Memory and processor time of processes, read from `/proc`; systems other than Linux show none.

use std::{
    collections::HashMap,
    fs,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// The unit of processor times in `/proc`: Linux reports hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// Times that are closer to each other give no sensible share.
const APART: f64 = 0.5;

/// Remembers the processor times that it saw, so that it can say how much was used since.
#[derive(Debug, Default)]
pub struct Usage(Mutex<HashMap<i32, Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    cpu_seconds: f64,
    percent: Option<f64>,
}

impl Usage {
    /// The share of a core that a process has used of late, in percent.
    pub fn cpu_percent(&self, pid: i32) -> Option<f64> {
        let cpu_seconds = cpu_seconds(pid)?;
        let now = Seen { at: Instant::now(), cpu_seconds, percent: None };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(pid).or_insert(now);
        let passed = seen.at.elapsed().as_secs_f64();
        if passed > APART {
            let percent = Some(100.0 * (cpu_seconds - seen.cpu_seconds) / passed);
            *seen = Seen { percent, ..now };
        }
        seen.percent
    }

    /// Forgets all others.
    pub fn keep(&self, pids: &[i32]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|pid, _| pids.contains(pid));
    }
}

/// The resident memory of a process, in MB.
pub fn memory_mb(pid: i32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024.0 / 1e6)
}

fn cpu_seconds(pid: i32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may contain spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().ok());
    Some((times.next()?? + times.next()??) / TICKS_PER_SECOND)
}
