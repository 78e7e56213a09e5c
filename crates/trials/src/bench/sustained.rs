//! The rate that lasts: orders are due at fixed times, at rates that rise step by step, until the
//! system falls behind.
//!
//! A rate holds if nothing is refused and 99 of 100 orders are through in time, counted from the
//! moment at which each was due.

use std::{path::Path, time::Duration};

use super::{
    bare, load,
    orders_in::round_trip,
    progress::found,
    report::{Curve, Report, Target},
    rig::{Rig, Way},
    scale::{NETWORK, Scale},
    steady::{Goal, Step, Used, at},
};

const SECTION: &str = "Sustained";
/// By what a rate is raised until it does not hold, and lowered until it holds for the whole time.
const RAISE: f64 = 1.25;
const LOWER: f64 = 0.88;
/// The rate at which the system is shown to be overloaded, in multiples of the sustained one.
const OVERLOAD: f64 = 1.5;

/// Finds both rates, and shows what happens beyond.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let rig = Rig::set_up(binaries, Duration::ZERO).await?;
    let bare = bare::call_micros(&rig, Way::Direct, scale).await?;
    drop(rig);
    if let Some(bare) = bare {
        report.add(SECTION, "CPU of a bare PutItem (d)", bare, "µs");
    }
    if let Some(rate) = scale.only_rate {
        let goal = Goal::Fulfilled;
        let step = fresh(goal, rate, scale.sustained_seconds, binaries, report).await?;
        let outcome = outcome(goal, &step);
        let name = format!("{}, for {} s: {outcome}", goal.name(), scale.sustained_seconds);
        report.add(SECTION, name, rate, "/s").note(step.note());
        add_usage(report, &step, bare);
        report.curves.push(latest(goal, &step));
        return Ok(());
    }
    for goal in [Goal::Announced, Goal::Fulfilled] {
        let step = highest(goal, binaries, scale, report).await?;
        let name = format!("{}, for {} s", goal.name(), scale.sustained_seconds);
        let target = Target::AtLeast(goal.target());
        report.add(SECTION, name, step.rate, "/s").target(target).note(step.note());
        add_usage(report, &step, bare.filter(|_| goal == Goal::Fulfilled));
        if goal == Goal::Announced {
            with_network(step.rate / 2.0, binaries, scale, report).await?;
        }
        let over = fresh(goal, step.rate * OVERLOAD, scale.step_seconds, binaries, report).await?;
        let name = format!("  at {OVERLOAD} times that: the slowest of those that were accepted");
        let slowest = over.took.max() as f64 / 1e3;
        report.add(SECTION, name, slowest, "ms").note(over.note());
        report.curves.extend([latest(goal, &step), latest(goal, &over)]);
    }
    Ok(())
}

/// The latest order of each second.
fn latest(goal: Goal, step: &Step) -> Curve {
    Curve {
        title: format!("Latest order of each second, {}", goal.name()),
        line: format!("{:.0} orders a second", step.rate),
        x: "seconds",
        y: "ms",
        points: (1..).map(f64::from).zip(step.latest.iter().copied()).collect(),
    }
}

/// How soon orders are answered at half the rate that lasts, with the delay of a network.
async fn with_network(
    rate: f64,
    binaries: &Path,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<()> {
    let rig = Rig::set_up(binaries, NETWORK).await?;
    let step = at(Goal::Announced, rate, scale.step_seconds, &rig, Way::Proxy, report).await?;
    let (p99, trip) = (load::percentile(&step.answers, 99.0), round_trip(binaries).await?);
    let name = format!("  form at {rate:.0}/s, 5 ms per call: p99");
    report.add(SECTION, name, p99, "ms").note(load::percentiles(&step.answers));
    let times = report.add(SECTION, "  compared with a bare call", p99 / trip, "times");
    times.target(Target::AtMost(1.5));
    Ok(())
}

fn add_usage(report: &mut Report, step: &Step, bare: Option<f64>) {
    for Used { name, micros, memory } in &step.used {
        let note = format!("{memory:.1} MB");
        report.add(SECTION, format!("  {name}: CPU per order"), *micros, "µs").note(note);
    }
    report.add(SECTION, "  endpoint and load: CPU per order", step.ours, "µs");
    let Some(bare) = bare else { return };
    let times = step.micros() / bare;
    let times = report.add(SECTION, "CPU per order, compared with (d)", times, "times");
    times.target(Target::AtMost(6.0));
    if let Some(publisher) = step.used.first() {
        let times = publisher.micros / bare;
        let times = report.add(SECTION, "  the publisher's share", times, "times");
        times.target(Target::AtMost(4.5));
    }
}

/// The highest rate that holds for as long as `scale` says.
async fn highest(
    goal: Goal,
    binaries: &Path,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<Step> {
    let (mut rate, mut points) = (scale.first_rate, Vec::new());
    loop {
        let step = fresh(goal, rate, scale.step_seconds, binaries, report).await?;
        points.push((rate, load::percentile(&step.took, 99.0)));
        if !step.holds(goal) {
            break;
        }
        rate *= RAISE;
    }
    let title = format!("p99 by rate, {}", goal.name());
    report.curve(&title, "orders a second", "ms", points);
    loop {
        rate *= LOWER;
        let step = fresh(goal, rate, scale.sustained_seconds, binaries, report).await?;
        // A quick run on a busy machine ends too.
        if step.holds(goal) || rate < scale.first_rate * LOWER {
            return Ok(step);
        }
    }
}

/// What is seen at a rate in an account of its own.
async fn fresh(
    goal: Goal,
    rate: f64,
    seconds: u64,
    binaries: &Path,
    report: &mut Report,
) -> anyhow::Result<Step> {
    let rig = Rig::set_up(binaries, Duration::ZERO).await?;
    let step = at(goal, rate, seconds, &rig, Way::Direct, report).await?;
    found(&format!("{rate:.0} a second {}: {}", outcome(goal, &step), step.note()));
    Ok(step)
}

fn outcome(goal: Goal, step: &Step) -> &'static str {
    if step.holds(goal) { "holds" } else { "does not hold" }
}
