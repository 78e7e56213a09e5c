//! The traces of the last minutes, from the spans that services export.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many traces are kept: those of some seconds at a thousand orders a second.
const MAX_TRACES: usize = 5_000;
/// How many spans of a trace are kept.
const MAX_SPANS: usize = 500;
/// The attribute with the id of an order.
const ORDER: &str = "order.id";

/// The traces. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Spans(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    traces: HashMap<String, Trace>,
    ids: VecDeque<String>,
    has_forgotten: bool,
}

/// The spans of a trace, in the order in which they arrived.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Its id.
    pub id: String,
    /// The order that it is about.
    pub order: Option<String>,
    /// Its spans.
    pub spans: Vec<Span>,
}

/// A span.
#[derive(Clone, Debug)]
pub struct Span {
    /// The service that exported it.
    pub service: String,
    /// What it is about.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The id of its parent; empty if it has none.
    pub parent: String,
    /// When it began and ended, in nanoseconds since 1970.
    pub nanos: [u64; 2],
    /// Whether it failed.
    pub failed: bool,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
}

impl Trace {
    /// When its first span began and its last one ended, in nanoseconds since 1970.
    pub fn nanos(&self) -> [u64; 2] {
        let began = self.spans.iter().map(|span| span.nanos[0]).min();
        let ended = self.spans.iter().map(|span| span.nanos[1]).max();
        [began.unwrap_or_default(), ended.unwrap_or_default()]
    }
}

impl Spans {
    /// Adds a span of the trace `id`.
    pub fn push(&self, id: &str, span: Span) {
        let mut state = self.state();
        if !state.traces.contains_key(id) {
            state.ids.push_back(id.to_owned());
            if state.ids.len() > MAX_TRACES {
                let oldest = state.ids.pop_front().unwrap_or_default();
                state.traces.remove(&oldest);
                state.has_forgotten = true;
            }
        }
        let trace = state.traces.entry(id.to_owned()).or_default();
        id.clone_into(&mut trace.id);
        if let Some((_, order)) = span.attributes.iter().find(|(name, _)| name == ORDER) {
            trace.order = Some(order.clone());
        }
        if trace.spans.len() < MAX_SPANS {
            trace.spans.push(span);
        }
    }

    /// The trace with this id.
    pub fn trace(&self, id: &str) -> Option<Trace> {
        self.state().traces.get(id).cloned()
    }

    /// The trace of an order.
    pub fn of_order(&self, order: &str) -> Option<Trace> {
        self.state().traces.values().find(|it| it.order.as_deref() == Some(order)).cloned()
    }

    /// Whether there were traces that are not kept any more.
    pub fn has_forgotten(&self) -> bool {
        self.state().has_forgotten
    }

    /// The last `limit` traces, the newest first.
    pub fn last(&self, limit: usize) -> Vec<Trace> {
        let state = self.state();
        let ids = state.ids.iter().rev().take(limit);
        ids.filter_map(|id| state.traces.get(id).cloned()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_found_by_its_order_and_the_oldest_is_forgotten() {
        let spans = Spans::default();
        let span = |attributes: &[(&str, &str)]| Span {
            service: "publisher".to_owned(),
            name: "announce".to_owned(),
            id: "1".to_owned(),
            parent: String::new(),
            nanos: [1, 2],
            failed: false,
            attributes: attributes.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect(),
        };
        spans.push("t", span(&[]));
        spans.push("t", span(&[(ORDER, "o")]));
        assert_eq!(spans.of_order("o").unwrap().spans.len(), 2);
        assert!(!spans.has_forgotten());
        for number in 0..MAX_TRACES {
            spans.push(&number.to_string(), span(&[]));
        }
        assert!(spans.has_forgotten());
        assert!(spans.trace("t").is_none() && spans.of_order("o").is_none());
        assert_eq!(spans.last(1)[0].id, (MAX_TRACES - 1).to_string());
    }
}
