//! A trace: the spans of all services, their calls of AWS, and the messages in the queues.

use std::time::{Duration, SystemTime};

use account::ledger::{Forgotten, Ledger, Made, Message};
use askama::Template;

use super::{
    part::{Main, made},
    queue::words,
    traces::at,
};
use crate::{
    app::App,
    spans::{Span, Spans, Trace},
    times::millis,
};

/// The width of the drawing.
const WIDTH: f64 = 1_000.0;
/// So wide that it can be seen.
const LEAST_WIDTH: f64 = 4.0;
const MAX_MESSAGES: usize = 50;
/// What the name of a role ends with.
const ROLE: &str = "-TaskRole";

#[derive(Template)]
#[template(path = "waterfall.html")]
struct Page {
    /// The id of the trace, or of the order.
    id: String,
    order: String,
    trace: String,
    began: String,
    took: String,
    has_logs: bool,
    /// What may be missing, because it is not remembered any more; empty if nothing is.
    forgotten: String,
    rows: Vec<Row>,
}

struct Row {
    /// `span`, `call` or `message`.
    kind: &'static str,
    who: String,
    what: String,
    depth: usize,
    nanos: [u64; 2],
    failed: bool,
    details: Vec<(String, String)>,
    /// Where its bar begins, and how wide it is.
    x: f64,
    width: f64,
    after: String,
    took: String,
}

/// The trace with this id, or of the order with this id.
pub fn main(app: &App, id: &str) -> anyhow::Result<Main> {
    let spans = app.sources.spans.as_ref();
    let trace = spans.and_then(|it| it.trace(id).or_else(|| it.of_order(id)));
    let order = trace.as_ref().map_or(Some(id.to_owned()), |it| it.order.clone());
    let trace = trace.unwrap_or_default();
    let mut rows = in_order(&trace);
    if let Some(ledger) = &app.sources.ledger {
        let texts: Vec<_> = [order.as_deref(), Some(&*trace.id)].into_iter().flatten().collect();
        let texts: Vec<_> = texts.into_iter().filter(|it| !it.is_empty()).collect();
        let text = order.as_deref().unwrap_or(&trace.id);
        let messages = ledger.find(text, MAX_MESSAGES);
        let messages: Vec<_> =
            messages.iter().map(|(queue, it)| Row::of_message(queue, it)).collect();
        // Who looks at the order later reads it too, and that is no part of its life.
        let lives_until = rows.iter().chain(&messages).map(|row| row.nanos[1]).max();
        let calls = ledger.calls(&texts);
        let calls = calls.iter().map(|call| Row::of_call(call));
        rows.extend(calls.filter(|call| Some(call.nanos[0]) <= lives_until));
        rows.extend(messages);
    }
    let began = rows.iter().map(|row| row.nanos[0]).min().unwrap_or_default();
    let ended = rows.iter().map(|row| row.nanos[1]).max().unwrap_or_default();
    let lacks_spans = trace.spans.is_empty() && spans.is_some_and(Spans::has_forgotten);
    let forgotten = app.sources.ledger.as_ref().map(Ledger::forgotten).unwrap_or_default();
    rows.iter_mut().for_each(|row| row.draw(began, ended));
    let page = Page {
        id: id.to_owned(),
        order: order.unwrap_or_default(),
        trace: trace.id,
        began: at(began),
        took: took(began, ended),
        has_logs: app.sources.logs.is_some(),
        forgotten: kinds(lacks_spans, forgotten, began),
        rows,
    };
    made("Trace", &page)
}

/// What is not remembered completely of an order that began then.
fn kinds(lacks_spans: bool, forgotten: Forgotten, began: u64) -> String {
    let is_of_then = |last: Option<SystemTime>| last.is_some_and(|it| nanos(it) >= began);
    let kinds = [
        ("spans", lacks_spans),
        ("messages", is_of_then(forgotten.messages)),
        ("calls", is_of_then(forgotten.calls)),
    ];
    let kinds: Vec<_> = kinds.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect();
    match kinds[..] {
        [spans, messages, calls] => format!("{spans}, {messages} and {calls}"),
        _ => kinds.join(" and "),
    }
}

/// The spans, each after its parent.
fn in_order(trace: &Trace) -> Vec<Row> {
    let is_root = |span: &&Span| !trace.spans.iter().any(|other| other.id == span.parent);
    let mut roots: Vec<_> = trace.spans.iter().filter(is_root).collect();
    roots.sort_by_key(|span| span.nanos[0]);
    let mut rows = Vec::new();
    for root in roots {
        add(&mut rows, trace, root, 0);
    }
    rows
}

fn add(rows: &mut Vec<Row>, trace: &Trace, span: &Span, depth: usize) {
    rows.push(Row::of_span(span, depth));
    let mut children: Vec<_> = trace.spans.iter().filter(|it| it.parent == span.id).collect();
    children.sort_by_key(|span| span.nanos[0]);
    // A span that is its own ancestor would never end.
    for child in children.into_iter().filter(|_| depth < trace.spans.len()) {
        add(rows, trace, child, depth + 1);
    }
}

impl Row {
    fn of_span(span: &Span, depth: usize) -> Self {
        Self::new("span", &span.service, &span.name, span.nanos).with(
            depth,
            span.failed,
            span.attributes.clone(),
        )
    }

    fn of_call(call: &Made) -> Self {
        let began = nanos(call.at);
        let ended = began + u64::try_from(call.took.as_nanos()).unwrap_or_default();
        let service = call.caller.strip_suffix(ROLE).unwrap_or(&call.caller);
        let service = service.rsplit('-').next().unwrap_or_default();
        let details = vec![("status".to_owned(), call.status.to_string())];
        Self::new("call", service, &call.name, [began, ended]).with(0, call.status >= 400, details)
    }

    fn of_message(queue: &str, message: &Message) -> Self {
        let left = message.left().unwrap_or_else(SystemTime::now);
        let moments = message.moments.iter();
        let details = moments.map(|(time, moment)| (at(nanos(*time)), words(moment))).collect();
        let what = format!("message {}", message.id);
        Self::new("message", queue, &what, [nanos(message.sent()), nanos(left)]).with(
            0,
            message.receives > 1,
            details,
        )
    }

    fn new(kind: &'static str, who: &str, what: &str, nanos: [u64; 2]) -> Self {
        Self {
            kind,
            who: who.to_owned(),
            what: what.to_owned(),
            depth: 0,
            nanos,
            failed: false,
            details: Vec::new(),
            x: 0.0,
            width: LEAST_WIDTH,
            after: String::new(),
            took: String::new(),
        }
    }

    fn with(self, depth: usize, failed: bool, details: Vec<(String, String)>) -> Self {
        Self { depth: depth.min(6), failed, details, ..self }
    }

    fn draw(&mut self, began: u64, ended: u64) {
        let whole = (ended - began).max(1) as f64;
        let scaled = |nanos: u64| WIDTH * nanos as f64 / whole;
        self.width = scaled(self.nanos[1].saturating_sub(self.nanos[0])).max(LEAST_WIDTH);
        self.x = scaled(self.nanos[0] - began).min(WIDTH - self.width);
        self.after = took(began, self.nanos[0]);
        self.took = took(self.nanos[0], self.nanos[1]);
    }
}

fn took(began: u64, ended: u64) -> String {
    millis(Duration::from_nanos(ended.saturating_sub(began)))
}

fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_forgotten_of_an_order_is_what_was_forgotten_since_it_began() {
        let at = |second| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        let forgotten = Forgotten { messages: at(10), calls: at(5) };
        let began = |second| Duration::from_secs(second).as_nanos() as u64;
        assert_eq!(kinds(true, forgotten, began(5)), "spans, messages and calls");
        assert_eq!(kinds(false, forgotten, began(5)), "messages and calls");
        assert_eq!(kinds(false, forgotten, began(6)), "messages");
        assert_eq!(kinds(false, forgotten, began(11)), "");
        assert_eq!(kinds(false, Forgotten::default(), 0), "");
    }
}
