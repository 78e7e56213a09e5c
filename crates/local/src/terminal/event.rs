//! An event: what a service logs as JSON, or any other line that it prints.

use jiff::Timestamp;
use local::process::Line;
use serde_json::{Map, Value, json};

/// The name for lines of this program.
pub const OURSELVES: &str = "local";

/// How important an event is; the most important is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something a person should look at.
    Warn,
    /// Everything else.
    Info,
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The service.
    pub service: String,
    /// When it happened, by the clock of this machine.
    pub at: Timestamp,
    /// How important it is.
    pub level: Level,
    /// What happened.
    pub message: String,
    /// The facts.
    pub fields: Map<String, Value>,
}

impl Event {
    /// Reads a line of a service. One that is not JSON, such as that of a panic, is a message.
    pub fn read(line: &Line) -> Self {
        let json: Option<Map<String, Value>> = serde_json::from_str(&line.text).ok();
        let mut fields =
            json.unwrap_or_else(|| [text("message", &line.text)].into_iter().collect());
        let mut take = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            other => other.map(|value| value.to_string()),
        };
        let at = take("timestamp").and_then(|time| time.parse().ok());
        let level = match take("level").as_deref() {
            Some("ERROR") => Level::Error,
            Some("WARN") => Level::Warn,
            _ => Level::Info,
        };
        Self {
            service: line.service.clone(),
            at: at.unwrap_or_else(Timestamp::now),
            level,
            message: take("message").unwrap_or_default(),
            fields,
        }
    }

    /// The event as a line of JSON.
    pub fn into_json(self) -> Value {
        let mut all = self.fields;
        all.extend([
            text("timestamp", &format!("{:.6}", self.at)),
            text("level", self.level.name()),
            text("service", &self.service),
            text("message", &self.message),
        ]);
        json!(all)
    }
}

impl Level {
    /// Its name in a log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
        }
    }
}

fn text(name: &str, value: &str) -> (String, Value) {
    (name.to_owned(), value.into())
}
