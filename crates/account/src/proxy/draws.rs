//! Draws a fault for each call of a run, and counts both.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    call::Call,
    plan::{Fault, Faults, Plan},
};

/// The draws of one run, and their counts.
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
    /// A run without draws.
    pub fn new(plan: Option<Plan>) -> Self {
        Self { plan, state: Mutex::default() }
    }

    /// Counts a call and draws its fault; there is none if the proxy is `calm`.
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

    /// Counts a fault that was not drawn.
    pub fn met(&self, fault: &'static str) {
        *self.state().faults.entry(fault).or_default() += 1;
    }

    /// The calls and faults so far.
    pub fn counts(&self) -> Counts {
        let state = self.state();
        Counts { calls: state.calls.clone(), faults: state.faults.clone() }
    }

    /// Counting cannot panic, so the data behind a poisoned lock is right.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The calls and faults so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests, including retries, by service and operation such as `SQS.ReceiveMessage`.
    pub calls: BTreeMap<String, u64>,
    /// Faults that calls met, by [`Fault::name`].
    pub faults: BTreeMap<&'static str, u64>,
}
