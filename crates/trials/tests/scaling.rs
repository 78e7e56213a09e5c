//! The scaling of the workers, on a virtual clock: no message waits for ever, the number of tasks
//! does not flap, a task that stops gives back what it has, and the targets follow from what was
//! measured.

use std::process::Command;

use deployment::description::scaling::{Metric, Scaling};
use trials::scaling::{
    measured::Measured,
    patterns::{AT_NIGHT, PATTERNS, Pattern, Worker, settings},
    plant::Stop,
    workspace::directory,
};

type Outcome = anyhow::Result<()>;

/// A worker of each description. The others scale as it does.
fn workers() -> anyhow::Result<[(&'static str, Worker); 2]> {
    let read = |description| Worker::read(&directory(description), "fulfilment");
    Ok([("infrastructure", read("infrastructure")?), ("copilot", read("copilot")?)])
}

#[test]
fn all_workers_scale_in_the_same_way() -> Outcome {
    for (name, worker) in workers()? {
        for other in ["promotion", "history"] {
            let other = Worker::read(&directory(name), other)?;
            assert_eq!(other.scaling, worker.scaling, "{name}");
        }
    }
    Ok(())
}

#[test]
fn no_message_waits_for_ever_and_tasks_come_and_go_in_peace() -> Outcome {
    let measured = Measured::read()?;
    for (name, worker) in workers()? {
        for pattern in &PATTERNS {
            let outcome = worker.meets(pattern, measured);
            let what = format!("{name}, {}: {:?}", pattern.name, outcome.changes());
            assert!(outcome.so_far.arrived > 0, "{what}");
            assert_eq!((outcome.left, outcome.lost), (0, 0), "{what}");
            assert_eq!(outcome.so_far.handled, outcome.so_far.arrived, "{what}");
            assert_eq!(outcome.so_far.killed, 0, "{what}");
            assert_eq!(outcome.moments.last().map(|it| it.tasks), Some(0), "{what}");
            assert!(outcome.quickest_turn() >= Some(15), "{what}");
        }
    }
    Ok(())
}

#[test]
fn the_first_message_waits_for_minutes_and_in_a_blind_half_an_hour_as_long_as_that() -> Outcome {
    let measured = Measured::read()?;
    for (name, worker) in workers()? {
        let waits = PATTERNS.map(|it| worker.meets(&it, measured).so_far.first_wait.unwrap() / 60);
        let awakening = if worker.has_function { 0 } else { 15 };
        let [night, day, burst, morning, slow, blind] = waits;
        assert!((1..=5 + awakening).contains(&night), "{name}: {waits:?}");
        assert!([day, burst, slow].iter().all(|it| (1..=5).contains(it)), "{name}: {waits:?}");
        assert!((1..=5 + awakening).contains(&morning), "{name}: {waits:?}");
        assert!((25..=30).contains(&blind), "{name}: {waits:?}");
        assert_eq!(worker.meets(&AT_NIGHT, measured).most_tasks(), 1, "{name}");
    }
    Ok(())
}

/// The load rises until two in the afternoon, and falls from then on.
#[test]
fn over_the_day_tasks_come_until_noon_and_go_in_the_afternoon() -> Outcome {
    let [.., day, _, _] = PATTERNS;
    for (name, worker) in workers()? {
        let changes = worker.meets(&day, Measured::read()?).changes();
        let after_dawn = changes.iter().filter(|(minute, ..)| *minute > 7 * 60);
        let in_peace = |(minute, before, after): &(u64, u32, u32)| {
            if *minute < 14 * 60 { before < after } else { before > after }
        };
        assert!(after_dawn.clone().all(in_peace), "{name}: {changes:?}");
        // How many depends on what a task does; at most, all but one come and go.
        assert!((3..=7).contains(&after_dawn.count()), "{name}: {changes:?}");
    }
    Ok(())
}

#[test]
fn while_cloudwatch_reports_nothing_the_tasks_stay() -> Outcome {
    let [.., blind] = PATTERNS;
    for (name, worker) in workers()? {
        let changes = worker.meets(&blind, Measured::read()?).changes();
        let is_blind = |minute: u64| (blind.is_blind)(60 * minute);
        assert!(changes.iter().all(|change| !is_blind(change.0)), "{name}: {changes:?}");
    }
    Ok(())
}

#[test]
fn with_one_task_that_stays_no_message_waits() -> Outcome {
    let [(_, mut worker), _] = workers()?;
    worker.scaling.min_tasks = 1;
    let outcome = worker.meets(&AT_NIGHT, Measured::read()?);
    assert_eq!((outcome.so_far.longest_wait, outcome.changes()), (0, vec![]));
    Ok(())
}

/// A load that does not change.
const STEADY: Pattern =
    Pattern { name: "steady", plot: None, in_use: true, minutes: 12 * 60, ..AT_NIGHT };

#[test]
fn a_load_that_does_not_change_changes_nothing_after_an_hour() -> Outcome {
    let rates: [fn(u64) -> f64; 8] =
        [|_| 0.005, |_| 0.1, |_| 5.0, |_| 300.0, |_| 423.0, |_| 700.0, |_| 1200.0, |_| 1690.0];
    let slow: [fn(u64) -> f64; 4] = [|_| 0.5, |_| 2.4, |_| 5.0, |_| 9.0];
    let slow = slow.map(|rate| Pattern { rate, seconds: Some(30.0), ..STEADY });
    let measured = Measured::read()?;
    for (name, worker) in workers()? {
        let quick = rates.map(|rate| Pattern { rate, ..STEADY });
        for pattern in quick.iter().chain(&slow) {
            let outcome = worker.meets(pattern, measured);
            let late = outcome.changes().into_iter().filter(|change| change.0 > 60);
            let (rate, late) = ((pattern.rate)(0), late.collect::<Vec<_>>());
            assert!(late.is_empty(), "{name}, {rate} a second: {late:?}");
            assert!(outcome.left < 1000, "{name}, {rate} a second: {} are left", outcome.left);
        }
    }
    Ok(())
}

/// The messages that the templates let wait for each task.
const WAITING: f64 = 36_232.0;

/// Copilot's alarm is on when more messages wait than one task may have, and not when as many do.
#[test]
fn without_our_patches_as_many_messages_as_one_task_may_have_wait_for_ever() -> Outcome {
    let measured = Measured::read()?;
    let mut copilot = Worker::read(&directory("copilot"), "fulfilment")?;
    let asleep = |count: fn(u64) -> f64| Pattern { rate: count, minutes: 24 * 60, ..AT_NIGHT };
    let (as_many, one_more) = (
        asleep(|second| if second == 3600 { WAITING } else { 0.0 }),
        asleep(|second| if second == 3600 { WAITING + 1.0 } else { 0.0 }),
    );
    assert_eq!(copilot.scaling.targets[&Metric::Waiting].value, WAITING);
    assert_eq!(copilot.meets(&as_many, measured).left, 0);
    copilot.unpatch();
    assert_eq!(copilot.meets(&as_many, measured).left, WAITING as u64);
    assert_eq!(copilot.meets(&one_more, measured).left, 0);
    Ok(())
}

#[test]
fn a_task_that_is_busy_for_an_hour_is_not_stopped() -> Outcome {
    let long = Pattern { seconds: Some(3600.0), minutes: 180, ..AT_NIGHT };
    for (name, worker) in workers()? {
        let outcome = worker.meets(&long, Measured::read()?);
        let so_far = &outcome.so_far;
        assert_eq!((so_far.handled, so_far.given_back), (1, 0), "{name}: {:?}", outcome.changes());
        assert_eq!(outcome.moments.last().map(|it| it.tasks), Some(0), "{name}");
    }
    Ok(())
}

#[test]
fn a_handler_ends_within_the_drain_and_the_drain_before_the_task_is_killed() -> Outcome {
    let settings = settings();
    assert!(settings.handler_deadline < settings.drain);
    for (name, worker) in workers()? {
        assert!(worker.stop.drain_seconds < worker.stop.most_seconds, "{name}");
    }
    Ok(())
}

/// Messages that take two minutes, which is longer than a worker drains.
#[test]
fn a_task_that_stops_gives_back_what_it_does_not_finish() -> Outcome {
    let measured = Measured::read()?;
    let long = Pattern {
        rate: |second| if second < 3600 { 2.0 } else { 0.1 },
        seconds: Some(120.0),
        minutes: 240,
        ..STEADY
    };
    for (name, mut worker) in workers()? {
        let outcome = worker.meets(&long, measured);
        assert!(outcome.so_far.given_back > 0, "{name}: {:?}", outcome.changes());
        assert_eq!((outcome.so_far.killed, outcome.lost), (0, 0), "{name}");
        // With less time than the drain takes, they would be killed.
        worker.stop = Stop { most_seconds: 30, ..worker.stop };
        assert!(worker.meets(&long, measured).so_far.killed > 0, "{name}");
    }
    Ok(())
}

#[test]
fn the_targets_follow_from_what_was_measured() -> Outcome {
    let measured = Measured::read()?;
    for description in ["infrastructure", "copilot"] {
        let deployment = deployment::read(&directory(description), "test")?;
        let scaling = |service: &str| -> Scaling {
            deployment.service(service).unwrap().operation.scaling.clone().unwrap()
        };
        let near = |target: f64, micros: f64| {
            let expected = Measured::in_a_minute(micros);
            assert!((target / expected - 1.0).abs() < 0.1, "{description}: {target}, {expected}");
        };
        near(scaling("publisher").targets[&Metric::Requests].value, measured.publisher_micros);
        for worker in ["fulfilment", "promotion", "history"] {
            near(scaling(worker).targets[&Metric::Waiting].value, measured.fulfilment_micros);
        }
    }
    Ok(())
}

#[test]
fn the_figures_of_the_page_are_those_of_the_program() -> Outcome {
    let check = Command::new(env!("CARGO_BIN_EXE_trials")).args(["scaling", "--check"]).output()?;
    let (printed, errors) =
        (String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    let advice = "run `cargo run -p trials -- scaling`, and look at what changed";
    anyhow::ensure!(check.status.success(), "{printed}{errors}{advice}");
    Ok(())
}
