//! A task of a worker: how fast it handles messages, and how it stops.

use std::collections::VecDeque;

/// How long Fargate takes to start a task: its network interface and an image of some 10 MB.
const START_SECONDS: u64 = 60;
/// An empty receive takes so long.
const RECEIVE_SECONDS: u64 = 20;

/// What handling a message takes.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The time of the task's share of a processor.
    pub processor_seconds: f64,
    /// The time from its receipt to its end.
    pub seconds: f64,
    /// How many a task handles at a time: `MAX_IN_FLIGHT`.
    pub in_flight: u64,
}

impl Work {
    /// Whether messages end within the second in which they begin.
    pub fn is_short(self) -> bool {
        self.seconds < 1.0
    }
}

/// Messages that arrived in the same second.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    /// When they arrived.
    pub arrived: u64,
    /// How many they are.
    pub count: u64,
}

/// A task.
#[derive(Debug)]
pub struct Task {
    runs_from: u64,
    /// When it got SIGTERM.
    stopping: Option<u64>,
    /// Messages in flight, and when they end.
    in_flight: VecDeque<(u64, Messages)>,
    /// The part of a message that its processor had time for.
    spare: f64,
}

impl Task {
    /// A task that is started at the second `now`.
    pub fn start(now: u64) -> Self {
        let (stopping, in_flight) = (None, VecDeque::new());
        Self { runs_from: now + START_SECONDS, stopping, in_flight, spare: 0.0 }
    }

    /// Whether it runs, even if it is stopping.
    pub fn runs(&self, now: u64) -> bool {
        self.runs_from <= now
    }

    /// Whether it was not told to stop.
    pub fn is_wanted(&self) -> bool {
        self.stopping.is_none()
    }

    /// Tells it to stop.
    pub fn stop(&mut self, now: u64) {
        self.stopping = Some(now);
    }

    /// For how long it has been stopping.
    pub fn stopping_for(&self, now: u64) -> Option<u64> {
        Some(now - self.stopping?)
    }

    /// The number of messages in flight.
    pub fn held(&self) -> u64 {
        self.in_flight.iter().map(|(_, it)| it.count).sum()
    }

    /// The messages in flight, which it has no more.
    pub fn give_back(&mut self) -> impl Iterator<Item = Messages> {
        self.in_flight.drain(..).map(|(_, it)| it)
    }

    /// How many messages ended by now.
    pub fn end(&mut self, now: u64) -> u64 {
        let ended = self.in_flight.iter().take_while(|(end, _)| *end <= now).count();
        self.in_flight.drain(..ended).map(|(_, it)| it.count).sum()
    }

    /// How many messages it can begin in this second.
    pub fn room(&mut self, work: Work, now: u64) -> u64 {
        if !self.runs(now) || !self.is_wanted() {
            return 0;
        }
        let by_processor = 1.0 / work.processor_seconds;
        self.spare = (self.spare + by_processor).min(by_processor + 1.0);
        let by_places = if work.is_short() {
            (work.in_flight as f64 / work.seconds) as u64
        } else {
            work.in_flight - self.held()
        };
        by_places.min(self.spare as u64)
    }

    /// Begins `messages`.
    pub fn begin(&mut self, work: Work, now: u64, messages: Messages) {
        self.spare -= messages.count as f64;
        if !work.is_short() {
            self.in_flight.push_back((now + work.seconds.ceil() as u64, messages));
        }
    }

    /// Whether a receive that brought nothing ends in this second.
    pub fn receives_nothing(&self, now: u64) -> bool {
        self.runs(now) && self.is_wanted() && (now - self.runs_from).is_multiple_of(RECEIVE_SECONDS)
    }
}
