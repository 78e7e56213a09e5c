//! The virtual clock: messages arrive, CloudWatch sees them, and Application Auto Scaling decides.

use deployment::description::{
    measure::Series,
    scaling::{Metric, Scaling},
};

use super::{
    autoscaling::{Memory, decide},
    cloudwatch::Datapoints,
    plant::{Plant, SoFar, Stop},
    task::Work,
};

/// SQS reports a minute so long after it, and ECS a bit earlier.
const QUEUE_LATE_SECONDS: u64 = 120;
const TASKS_LATE_SECONDS: u64 = 60;
/// Copilot's function reports once a minute, at once.
const FUNCTION_LATE_SECONDS: u64 = 15;
/// SQS reports nothing of a queue that nobody has called for so long,
const ACTIVE_SECONDS: u64 = 6 * 3600;
/// and begins again up to so long after the first call.
const AWAKENING_SECONDS: u64 = 15 * 60;

/// What happens, and to whom.
pub struct World<'a> {
    /// The policies of the service.
    pub scaling: &'a Scaling,
    /// What handling a message takes.
    pub work: Work,
    /// How its tasks end.
    pub stop: Stop,
    /// The messages a second, by the second.
    pub rate: &'a dyn Fn(u64) -> f64,
    /// Whether CloudWatch gets nothing, by the second.
    pub is_blind: &'a dyn Fn(u64) -> bool,
    /// Whether the queue was in use before.
    pub in_use: bool,
    /// Whether a function of Copilot's reads the queue every minute.
    pub has_function: bool,
    /// How long it goes on.
    pub minutes: u64,
}

/// What there is after a minute.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The tasks that are wanted.
    pub tasks: u32,
    /// The messages that wait or are in flight.
    pub messages: u64,
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// In sum.
    pub so_far: SoFar,
    /// By the minute.
    pub moments: Vec<Moment>,
    /// Messages that wait or are in flight in the end.
    pub left: u64,
    /// Messages that are nowhere.
    pub lost: u64,
}

impl World<'_> {
    /// Runs it from the fewest tasks on.
    pub fn run(&self) -> Outcome {
        let mut plant = Plant::new(self.work, self.stop);
        let mut datapoints = Datapoints::default();
        let mut memory = Memory::of(self.scaling.min_tasks);
        plant.scale(memory.tasks);
        let mut called = Called { last: self.in_use.then_some(0), awake_from: 0 };
        let mut moments = Vec::new();
        let mut owed = 0.0;
        for minute in 0..self.minutes {
            for second in 60 * minute..60 * minute + 60 {
                owed += (self.rate)(second);
                let arriving = owed as u64;
                owed -= arriving as f64;
                let before = plant.minute.received + plant.minute.empty;
                plant.second(arriving);
                let receives = plant.minute.received + plant.minute.empty > before;
                if arriving > 0 || receives || self.has_function {
                    called.note(second);
                }
            }
            let now = 60 * minute + 60;
            if !(self.is_blind)(now) {
                self.report(&plant, &called, minute, &mut datapoints);
            }
            plant.minute = Default::default();
            memory = decide(self.scaling, memory, &datapoints, now);
            plant.scale(memory.tasks);
            let messages = plant.waiting() + plant.in_flight();
            moments.push(Moment { tasks: memory.tasks, messages });
        }
        let left = plant.waiting() + plant.in_flight();
        Outcome { lost: plant.lost(), so_far: plant.so_far, moments, left }
    }

    /// What AWS reports of a minute.
    fn report(&self, plant: &Plant, called: &Called, minute: u64, to: &mut Datapoints) {
        let now = 60 * minute + 60;
        let sqs = |name, statistic| Series::new("AWS/SQS", name, statistic);
        if let Some(seen) = called.seen_from(now) {
            // Only what waits is reported as 0 too.
            let waiting = plant.waiting() as f64;
            to.add(sqs("ApproximateNumberOfMessagesVisible", "Maximum"), minute, waiting, seen);
            let counts = [
                ("ApproximateNumberOfMessagesNotVisible", "Maximum", plant.in_flight()),
                ("NumberOfMessagesReceived", "Sum", plant.minute.received),
                ("NumberOfEmptyReceives", "Sum", plant.minute.empty),
            ];
            for (name, statistic, count) in counts.into_iter().filter(|it| it.2 > 0) {
                to.add(sqs(name, statistic), minute, count as f64, seen);
            }
        }
        let running = plant.running();
        if running > 0 {
            let seen = now + TASKS_LATE_SECONDS;
            let used = 100.0 * plant.minute.used / (60 * running) as f64;
            to.add(Metric::Cpu.series(), minute, used, seen);
            let samples = Series::new("AWS/ECS", "CPUUtilization", "SampleCount");
            to.add(samples, minute, running as f64, seen);
        }
        if self.has_function {
            let each = plant.waiting().div_ceil(running.max(1));
            to.add(Metric::Waiting.series(), minute, each as f64, now + FUNCTION_LATE_SECONDS);
        }
    }
}

/// When the queue was called.
struct Called {
    last: Option<u64>,
    /// Since when SQS reports it.
    awake_from: u64,
}

impl Called {
    fn note(&mut self, now: u64) {
        if self.last.is_none_or(|last| last + ACTIVE_SECONDS < now) {
            self.awake_from = now + AWAKENING_SECONDS;
        }
        self.last = Some(now);
    }

    /// From when on a minute that ends now can be seen; `None` if SQS does not report it.
    fn seen_from(&self, now: u64) -> Option<u64> {
        let is_active = self.last.is_some_and(|last| now <= last + ACTIVE_SECONDS);
        is_active.then(|| self.awake_from.max(now + QUEUE_LATE_SECONDS))
    }
}

impl Outcome {
    /// The most tasks that were wanted.
    pub fn most_tasks(&self) -> u32 {
        self.moments.iter().map(|it| it.tasks).max().unwrap_or_default()
    }

    /// The changes of the number of tasks: the minute, and the numbers before and after.
    pub fn changes(&self) -> Vec<(u64, u32, u32)> {
        let pairs = (1..).zip(self.moments.windows(2));
        let changed = pairs.filter(|(_, pair)| pair[0].tasks != pair[1].tasks);
        changed.map(|(minute, pair)| (minute, pair[0].tasks, pair[1].tasks)).collect()
    }

    /// The fewest minutes between two changes in opposite directions; `None` without such.
    pub fn quickest_turn(&self) -> Option<u64> {
        let changes = self.changes();
        let turns = changes.windows(2).filter(|it| (it[0].1 < it[0].2) != (it[1].1 < it[1].2));
        turns.map(|it| it[1].0 - it[0].0).min()
    }
}
