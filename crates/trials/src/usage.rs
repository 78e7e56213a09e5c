//! Memory and processor time of processes, read from `/proc`; systems other than Linux have none.

use std::{fs, time::Instant};

/// The unit of processor times in `/proc`: Linux reports hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// The rows that count calls in what `memusage` of the C library prints.
const ALLOCATIONS: [&str; 3] = ["malloc|", "realloc|", "calloc|"];
/// The percentage of a core from which on it counts as fully used.
const FULL: f64 = 80.0;

/// The resident memory of a process, in MB.
pub fn memory_mb(pid: i32) -> Option<f64> {
    status_mb(pid, "VmRSS:")
}

/// The most resident memory that a process has had so far, in MB.
pub fn peak_memory_mb(pid: i32) -> Option<f64> {
    status_mb(pid, "VmHWM:")
}

fn status_mb(pid: i32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024.0 / 1e6)
}

/// The processor time that a process has used, in seconds.
pub fn cpu_seconds(pid: i32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may contain spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().ok());
    Some((times.next()?? + times.next()??) / TICKS_PER_SECOND)
}

/// The processor time that the services and this process use while something is measured.
pub struct Meter {
    services: Vec<i32>,
    started: Instant,
    before: (f64, f64),
}

impl Meter {
    /// Starts measuring the services with these process ids, and this process.
    pub fn start(services: Vec<i32>) -> Self {
        let before = used(&services);
        Self { services, started: Instant::now(), before }
    }

    /// The use of the processor since the start, in percent of one core; two full cores are 200 %.
    pub fn share(&self) -> String {
        let (services, ours) = self.percent();
        let ours = format!("endpoint and benchmark {ours:.0} %");
        if self.services.is_empty() {
            return format!("CPU: {ours}");
        }
        format!("CPU: services {services:.0} %, {ours}")
    }

    /// What limited the rate, and the use of the processor.
    pub fn limit(&self) -> String {
        let (services, ours) = self.percent();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Each service has one worker thread, as its manifest says.
        let threads = self.services.len().min(cores);
        let limit = if services + ours >= FULL * cores as f64 {
            "the machine"
        } else if threads > 0 && services >= FULL * threads as f64 {
            "the thread of the service"
        } else {
            "waiting for answers"
        };
        format!("limit: {limit}; {}", self.share())
    }

    /// The use of the processor by the services and by this process, in percent of one core.
    fn percent(&self) -> (f64, f64) {
        let (services, ours) = used(&self.services);
        let percent = |seconds: f64| 100.0 * seconds / self.started.elapsed().as_secs_f64();
        (percent(services - self.before.0), percent(ours - self.before.1))
    }

    /// The processor time that the services have used since the start, in seconds.
    pub fn services_seconds(&self) -> f64 {
        used(&self.services).0 - self.before.0
    }

    /// The memory of the largest service, in MB.
    pub fn memory_mb(&self) -> f64 {
        let held = self.services.iter().copied().filter_map(memory_mb);
        held.fold(0.0, f64::max)
    }
}

fn used(services: &[i32]) -> (f64, f64) {
    let ours = i32::try_from(std::process::id()).ok().and_then(cpu_seconds);
    (services.iter().copied().filter_map(cpu_seconds).sum(), ours.unwrap_or_default())
}

/// The allocations that a line of `memusage` counts. Its table is in colour, always.
pub fn allocations(line: &str) -> Option<u64> {
    let (_, numbers) = ALLOCATIONS.iter().find_map(|name| line.split_once(name))?;
    numbers.split_whitespace().find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_calls_are_read_and_others_are_not() {
        let row = "\u{1b}[00;34m malloc|\u{1b}[0m       2048        1234567        0\u{1b}[00;00m";
        assert_eq!(allocations(row), Some(2_048));
        assert_eq!(allocations("\u{1b}[00;34m   free|\u{1b}[0m       12          0"), None);
        assert_eq!(allocations("order stored order.id=42"), None);
    }
}
