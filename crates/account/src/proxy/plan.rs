//! Which calls fail, and how: drawn from a seed.
//!
//! Each operation (`SQS.ReceiveMessage`, `DynamoDB.PutItem`, ...) has a stream of random numbers of
//! its own, seeded with the run's seed and the operation's name. The n-th request of an operation,
//! in the order in which the requests arrive here, takes the n-th draw of its stream.
//!
//! So this is reproducible: with the same seed and percentage, the n-th request of an operation
//! meets the same fault, whatever the other operations do in the meantime. This is not: which
//! order or which message the n-th request is about, and how many requests there are, because
//! that depends on how the processes happen to run.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use uuid::Uuid;

use super::{Call, Counts};

/// A seed, and the share of calls that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What every draw comes from.
    pub seed: u64,
    /// How many calls of a hundred meet a fault; 100 or more is each of them.
    pub percent: u8,
}

/// What may happen to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with a 500 of the service's own shape; nothing took effect.
    ServerError,
    /// Answered as if there were too many calls, in the service's own shape.
    Throttle,
    /// The connection is reset before the call reaches the endpoint.
    Reset,
    /// The call takes effect, then the connection is reset without an answer.
    AnswerLost,
    /// The call reaches the endpoint only after this time: even if its caller gave up by then.
    Stall(Duration),
    /// The answer trickles in over this time.
    SlowLink(Duration),
}

impl Fault {
    /// What tables and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerError => "server error",
            Self::Throttle => "throttle",
            Self::Reset => "reset before the call",
            Self::AnswerLost => "answer lost",
            Self::Stall(_) => "stall",
            Self::SlowLink(_) => "slow link",
        }
    }

    fn draw(stream: &mut Xoshiro256PlusPlus) -> Self {
        match stream.random_range(0..6) {
            0 => Self::ServerError,
            1 => Self::Throttle,
            2 => Self::Reset,
            3 => Self::AnswerLost,
            4 => Self::Stall(Duration::from_millis(stream.random_range(1_000..=10_000))),
            _ => Self::SlowLink(Duration::from_millis(stream.random_range(200..=4_000))),
        }
    }
}

impl Plan {
    /// What the plan has for the requests of an operation, one after the other, without end.
    pub fn faults(self, operation: &str) -> Faults {
        // A version 5 UUID is a hash (SHA-1) whose result is the same on every machine, for ever.
        let namespace = Uuid::from_u128(u128::from(self.seed));
        let (high, low) = Uuid::new_v5(&namespace, operation.as_bytes()).as_u64_pair();
        Faults { percent: self.percent, stream: Xoshiro256PlusPlus::seed_from_u64(high ^ low) }
    }

    /// A short name for all that the plan will do: with the same digest come the same faults.
    pub fn digest(self) -> String {
        const OPERATIONS: [&str; 3] =
            ["DynamoDB.PutItem", "SNS.PublishBatch", "SQS.ReceiveMessage"];
        const DRAWS: usize = 1_000;
        let faults = OPERATIONS.map(|name| self.faults(name).take(DRAWS).collect::<Vec<_>>());
        let digest = Uuid::new_v5(&Uuid::nil(), format!("{faults:?}").as_bytes());
        digest.simple().to_string()[..12].to_owned()
    }
}

/// The faults of one operation: an item for each request, which is `None` if that passes.
#[derive(Clone, Debug)]
pub struct Faults {
    percent: u8,
    stream: Xoshiro256PlusPlus,
}

impl Iterator for Faults {
    type Item = Option<Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let fails = self.stream.random_range(0..100) < self.percent;
        Some(fails.then(|| Fault::draw(&mut self.stream)))
    }
}

/// The draws of one run, and what they came to.
#[derive(Debug)]
pub struct Draws {
    plan: Option<Plan>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<String, Faults>,
    calls: BTreeMap<String, u64>,
    faults: BTreeMap<&'static str, u64>,
}

impl Draws {
    /// A run that has drawn nothing.
    pub fn new(plan: Option<Plan>) -> Self {
        Self { plan, state: Mutex::default() }
    }

    /// Counts a call, and draws what happens to it: nothing, if all is `calm`.
    pub fn next(&self, call: &Call, calm: bool) -> Option<Fault> {
        let name = call.to_string();
        let mut state = self.state();
        let fault = self.plan.filter(|_| !calm).and_then(|plan| {
            let faults = state.streams.entry(name.clone());
            faults.or_insert_with(|| plan.faults(&name)).next().flatten()
        });
        if let Some(fault) = fault {
            *state.faults.entry(fault.name()).or_default() += 1;
        }
        *state.calls.entry(name).or_default() += 1;
        fault
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let state = self.state();
        Counts { calls: state.calls.clone(), faults: state.faults.clone() }
    }

    /// Counting does not panic half-way, so a poisoned lock holds nothing wrong.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
