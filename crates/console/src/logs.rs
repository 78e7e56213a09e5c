//! The latest log lines of all services, and why messages failed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde_json::{Map, Value};

/// How many lines are kept: those of some seconds at a thousand orders a second.
const MAX_LINES: usize = 20_000;
/// How many messages are known by the reason why they failed.
const MAX_REASONS: usize = 10_000;
/// What a service logs of a message that failed.
const REASON: &str = "reason";

/// The lines. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Logs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Arc<Entry>>,
    next: u64,
    /// The latest reason of a failure, by the message's id.
    reasons: HashMap<String, String>,
    reasoned: VecDeque<String>,
}

/// A line that a service logged.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// The process.
    pub service: String,
    /// When.
    pub at: Timestamp,
    /// Such as `INFO`.
    pub level: String,
    /// What happened: the first line of it.
    pub message: String,
    /// Its other lines, as those of a banner or of a panic.
    pub rest: String,
    /// The facts, as `name=value`.
    pub fields: String,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

/// Which lines are wanted. What is empty does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The process.
    pub service: String,
    /// The level, or a more important one.
    pub level: String,
    /// What the line contains, in any case.
    pub text: String,
    /// The trace.
    pub trace: String,
}

impl Logs {
    /// Adds a line: a JSON object, or a text.
    pub fn push(&self, service: &str, text: &str) {
        let (entry, failed) = read(service, text);
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.lines.push_back(Arc::new(Entry { number, ..entry }));
        if state.lines.len() > MAX_LINES {
            state.lines.pop_front();
        }
        if let Some((id, reason)) = failed {
            if state.reasons.insert(id.clone(), reason).is_none() {
                state.reasoned.push_back(id);
            }
            if state.reasoned.len() > MAX_REASONS {
                let oldest = state.reasoned.pop_front().unwrap_or_default();
                state.reasons.remove(&oldest);
            }
        }
    }

    /// The last `limit` lines that are wanted, the oldest first.
    pub fn last(&self, filter: &Filter, limit: usize) -> Vec<Arc<Entry>> {
        let lines: Vec<_> = self.state().lines.iter().cloned().collect();
        let text = filter.text.to_lowercase();
        let wanted = lines.into_iter().rev().filter(|line| filter.wants(line, &text));
        let mut wanted: Vec<_> = wanted.take(limit).collect();
        wanted.reverse();
        wanted
    }

    /// Why a message failed the last time, as its worker logged it.
    pub fn reason(&self, message: &str) -> Option<String> {
        self.state().reasons.get(message).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filter {
    fn wants(&self, line: &Entry, lower_text: &str) -> bool {
        let is = |wanted: &str, it: &str| wanted.is_empty() || wanted == it;
        is(&self.service, &line.service)
            && is(&self.trace, line.trace.as_deref().unwrap_or_default())
            && (self.level.is_empty() || rank(&line.level) <= rank(&self.level))
            && (lower_text.is_empty()
                || line.message.to_lowercase().contains(lower_text)
                || line.rest.to_lowercase().contains(lower_text)
                || line.fields.to_lowercase().contains(lower_text))
    }
}

/// The most important level has the least rank.
fn rank(level: &str) -> usize {
    ["ERROR", "WARN", "INFO", "DEBUG"].iter().position(|it| *it == level).unwrap_or(4)
}

/// A line, and the id of the message that failed with the reason, if it is about one.
fn read(service: &str, text: &str) -> (Entry, Option<(String, String)>) {
    let json = serde_json::from_str::<Map<String, Value>>(text);
    let mut fields =
        json.unwrap_or_else(|_| [("message".to_owned(), text.into())].into_iter().collect());
    let plain = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let message_id = fields.get("message.id").and_then(Value::as_str).map(str::to_owned);
    let reason = fields.get(REASON).and_then(Value::as_str).map(str::to_owned);
    let failed = message_id.zip(reason);
    let mut take = |name: &str| fields.remove(name).map(plain);
    let at = take("timestamp").and_then(|at| at.parse().ok()).unwrap_or_else(Timestamp::now);
    let level = take("level").unwrap_or_else(|| "INFO".to_owned());
    let (message, trace) = (take("message").unwrap_or_default(), take("trace_id"));
    let (message, rest) = message.split_once('\n').unwrap_or((&message, ""));
    let (message, rest) = (message.to_owned(), rest.trim_end().to_owned());
    let fields = fields.into_iter().map(|(name, value)| format!("{name}={}", plain(value)));
    let fields = fields.collect::<Vec<_>>().join(" ");
    let service = service.to_owned();
    (Entry { number: 0, service, at, level, message, rest, fields, trace }, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_service_level_text_and_trace_and_the_oldest_are_forgotten() {
        let logs = Logs::default();
        logs.push("a", r#"{"level":"WARN","message":"Slow","n":1,"trace_id":"t1"}"#);
        logs.push("b", r#"{"level":"INFO","message":"stored","order.id":"o"}"#);
        logs.push("b", "thread panicked");
        let found = |filter: Filter| {
            let lines = logs.last(&filter, 10);
            lines.iter().map(|it| it.message.clone()).collect::<Vec<_>>()
        };
        let all = Filter::default();
        assert_eq!(found(all.clone()), ["Slow", "stored", "thread panicked"]);
        assert_eq!(found(Filter { service: "a".into(), ..all.clone() }), ["Slow"]);
        assert_eq!(found(Filter { level: "WARN".into(), ..all.clone() }), ["Slow"]);
        assert_eq!(found(Filter { text: "ORDER.ID=o".into(), ..all.clone() }), ["stored"]);
        assert_eq!(found(Filter { trace: "t1".into(), ..all.clone() }), ["Slow"]);
        assert_eq!(logs.last(&all, 1)[0].message, "thread panicked");
        for _ in 0..MAX_LINES {
            logs.push("c", "x");
        }
        assert_eq!(found(Filter { service: "a".into(), ..all }), Vec::<String>::new());
    }

    #[test]
    fn a_text_of_several_lines_has_a_first_one_and_a_rest_that_is_found_too() {
        let logs = Logs::default();
        logs.push("a", r#"{"message":"the order of\n  /\\ \n /_/\n"}"#);
        let filter = Filter { text: "/_/".into(), ..Filter::default() };
        let line = logs.last(&filter, 1)[0].clone();
        assert_eq!((&*line.message, &*line.rest), ("the order of", "  /\\ \n /_/"));
    }

    #[test]
    fn the_latest_reason_of_a_message_is_known() {
        let logs = Logs::default();
        for reason in ["first", "second"] {
            logs.push("a", &format!(r#"{{"message.id":"m","reason":"{reason}"}}"#));
        }
        assert_eq!(logs.reason("m").as_deref(), Some("second"));
        assert_eq!(logs.reason("n"), None);
    }
}
