//! A queue: its messages, without receiving them, and one of them from its arrival to its end.

use std::time::SystemTime;

use account::ledger::{Ledger, Message, Moment};
use askama::Template;
use serde_json::Value;

use super::{
    messages::{self, Queue, left},
    part::{Main, chosen, made},
    sentence::missing,
};
use crate::{
    app::{App, Choices},
    times,
};

/// How many messages are shown.
const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "queue.html")]
struct Page<'a> {
    token: &'a str,
    queue: Queue,
    /// What was searched for.
    find: String,
    messages: Vec<Shown>,
    has_ledger: bool,
}

/// A message as it is shown.
struct Shown {
    /// The queue, if it is another one.
    queue: String,
    id: String,
    state: String,
    age: String,
    /// How often it was received.
    receives: String,
    topic: String,
    kind: String,
    text: String,
    /// Why it failed the last time.
    reason: Option<String>,
    moments: Vec<(String, String)>,
}

pub async fn main(app: &App, name: &str, choices: &Choices) -> anyhow::Result<Main> {
    let Some(queue) = messages::queues(app, Some(name)).await?.pop() else {
        return Ok(missing(&format!("There is no queue {name}.")));
    };
    let find = chosen(choices, "find");
    let ledger = app.sources.ledger.as_ref();
    let found = match ledger {
        Some(ledger) if find.is_empty() => {
            let messages = ledger.messages(name, SHOWN).into_iter();
            messages.map(|it| (name.to_owned(), it)).collect()
        }
        Some(ledger) => ledger.find(&find, SHOWN),
        None => Vec::new(),
    };
    let queues = ledger.map(Ledger::queues).unwrap_or_default();
    let letters = |of: &str| queues.values().any(|it| it.dead_letters.as_deref() == Some(of));
    let shown = |(of, it): &(String, Message)| Shown::of(app, name, of, letters(of), it);
    let messages = found.iter().map(shown).collect();
    let has_ledger = ledger.is_some();
    made(name, &Page { token: &app.token, queue, find, messages, has_ledger })
}

impl Shown {
    fn of(app: &App, page: &str, queue: &str, is_letter: bool, message: &Message) -> Self {
        let now = SystemTime::now();
        let state = match message.moments.last() {
            Some((_, Moment::Deleted)) => "handled".to_owned(),
            Some((_, Moment::GivenUp)) => "given up".to_owned(),
            Some((_, Moment::Purged)) => "purged".to_owned(),
            _ if message.is_in_flight(now) => {
                format!("in flight, its lease ends in {}", left(message.visible_at))
            }
            _ if message.visible_at > now => format!("waits for {}", left(message.visible_at)),
            _ => "waiting".to_owned(),
        };
        let (topic, kind, text) = opened(&message.body);
        let reason = app.sources.logs.as_ref().and_then(|logs| logs.reason(&message.id));
        let moments = message.moments.iter();
        let moments = moments.map(|(at, moment)| (times::clock_of(*at), words(moment)));
        Self {
            queue: if queue == page { String::new() } else { queue.to_owned() },
            id: message.id.clone(),
            state,
            age: times::age(message.sent()),
            receives: received(message.receives, is_letter),
            topic,
            kind,
            text,
            reason,
            moments: moments.collect(),
        }
    }
}

/// The topic, the type of the event and the text of a message; without SNS, there is only a text.
fn opened(body: &str) -> (String, String, String) {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let (Some(arn), Some(text)) = (json["TopicArn"].as_str(), json["Message"].as_str()) else {
        return (String::new(), String::new(), body.to_owned());
    };
    let topic = arn.rsplit(':').next().unwrap_or_default().to_owned();
    let kind = json["MessageAttributes"]["event_type"]["Value"].as_str().unwrap_or_default();
    (topic, kind.to_owned(), text.to_owned())
}

/// How often a message was received from a queue. One that was given up is in another queue.
fn received(times: u32, is_letter: bool) -> String {
    let since = if is_letter { " since it was given up" } else { "" };
    match times {
        0 if is_letter => format!("not received{since}"),
        0 => "not received yet".to_owned(),
        1 => format!("received once{since}"),
        _ => format!("received {times} times{since}"),
    }
}

/// What happened, as a person says it.
pub fn words(moment: &Moment) -> String {
    match moment {
        Moment::Sent => "arrived".to_owned(),
        Moment::Received => "received".to_owned(),
        Moment::Released(0) => "given back at once".to_owned(),
        Moment::Released(seconds) => format!("given back, for in {seconds} s"),
        Moment::Renewed(seconds) => format!("lease renewed by {seconds} s"),
        Moment::Deleted => "deleted: it was handled".to_owned(),
        Moment::GivenUp => "moved to the dead letters".to_owned(),
        Moment::Purged => "purged".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::received;

    #[test]
    fn how_often_a_message_was_received_is_said_in_words() {
        assert_eq!(received(0, false), "not received yet");
        assert_eq!(received(1, false), "received once");
        assert_eq!(received(2, false), "received 2 times");
        assert_eq!(received(0, true), "not received since it was given up");
        assert_eq!(received(1, true), "received once since it was given up");
    }
}
