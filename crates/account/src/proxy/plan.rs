//! Which calls fail, and how, drawn at random from a seed.
//!
//! Each operation (`SQS.ReceiveMessage`, `DynamoDB.PutItem`, ...) has its own stream of random
//! numbers, seeded with the run's seed and the operation's name. The n-th request of an operation
//! takes the n-th draw of its stream, in the order of arrival.
//!
//! With the same seed and percentage, the n-th request of an operation therefore meets the same
//! fault, independent of other operations. The number of requests, and the order or message that
//! the n-th one is about, are not reproducible: they depend on the timing of the processes.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use uuid::Uuid;

/// A seed, and the percentage of calls that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed of all draws.
    pub seed: u64,
    /// The percentage of calls that meet a fault; with 100 or more, all of them do.
    pub percent: u8,
}

/// A fault of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is a 500 in the service's format; the call takes no effect.
    ServerError,
    /// The answer says that there are too many calls, in the service's format.
    Throttle,
    /// The connection is reset before the call reaches the endpoint.
    Reset,
    /// The call takes effect, then the connection is reset without an answer.
    AnswerLost,
    /// The call reaches the endpoint after this time, even if its caller has given up by then.
    Stall(Duration),
    /// The answer arrives slowly, over this time.
    SlowLink(Duration),
    /// The call never reaches the endpoint and is never answered.
    Hang,
    /// The answer says that the caller may not do this; the call takes no effect.
    Denied,
}

impl Fault {
    /// Its name in tables and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerError => "server error",
            Self::Throttle => "throttle",
            Self::Reset => "reset before the call",
            Self::AnswerLost => "answer lost",
            Self::Stall(_) => "stall",
            Self::SlowLink(_) => "slow link",
            Self::Hang => "hang",
            Self::Denied => "denied",
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
    /// The faults for the requests of an operation, one after the other, without end.
    pub fn faults(self, operation: &str) -> Faults {
        // A version 5 UUID is a hash (SHA-1), so it is always the same on every machine.
        let namespace = Uuid::from_u128(u128::from(self.seed));
        let (high, low) = Uuid::new_v5(&namespace, operation.as_bytes()).as_u64_pair();
        Faults { percent: self.percent, stream: Xoshiro256PlusPlus::seed_from_u64(high ^ low) }
    }

    /// A short name of the plan: plans with the same digest have the same faults.
    pub fn digest(self) -> String {
        const OPERATIONS: [&str; 3] =
            ["DynamoDB.PutItem", "SNS.PublishBatch", "SQS.ReceiveMessage"];
        const DRAWS: usize = 1_000;
        let faults = OPERATIONS.map(|name| self.faults(name).take(DRAWS).collect::<Vec<_>>());
        let digest = Uuid::new_v5(&Uuid::nil(), format!("{faults:?}").as_bytes());
        digest.simple().to_string()[..12].to_owned()
    }
}

/// The faults of one operation: an item for each request, `None` if it has no fault.
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
