//! What a call of SQS means for the ledger.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde_json::Value as Json;

use super::{
    message::Message,
    queue::{Queue, name},
};

/// The operations that say how a queue is. They are noted always: queues are made first.
pub const SETTINGS: [&str; 2] = ["CreateQueue", "SetQueueAttributes"];

/// Takes note of a call that succeeded.
pub fn note(queues: &mut BTreeMap<String, Queue>, operation: &str, asked: &Json, answer: &Json) {
    let at = SystemTime::now();
    let url = asked["QueueUrl"].as_str().or(answer["QueueUrl"].as_str()).unwrap_or_default();
    let queue = name(url);
    if queue.is_empty() {
        return;
    }
    let known = queues.entry(queue.clone()).or_default();
    match operation {
        "CreateQueue" | "SetQueueAttributes" => settings(known, &asked["Attributes"]),
        "SendMessage" => send(known, asked, answer, at),
        "SendMessageBatch" => {
            for sent in list(&answer["Successful"]) {
                let entry = list(&asked["Entries"]).find(|entry| entry["Id"] == sent["Id"]);
                send(known, entry.unwrap_or(&Json::Null), sent, at);
            }
        }
        "ReceiveMessage" => {
            let hidden = seconds(&asked["VisibilityTimeout"]);
            for message in list(&answer["Messages"]) {
                let [id, body, receipt] = ["MessageId", "Body", "ReceiptHandle"];
                let read = |name: &str| message[name].as_str().unwrap_or_default();
                known.receive(read(id), read(body), read(receipt), at, hidden);
            }
            let given_up = known.give_up(at, usize::MAX);
            if let Some(letters) = known.dead_letters.clone() {
                add_letters(queues.entry(letters).or_default(), given_up, at);
            }
        }
        "DeleteMessage" => known.delete(&text(&asked["ReceiptHandle"]), at),
        "ChangeMessageVisibility" => change(known, asked, at),
        "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => {
            for entry in list(&asked["Entries"]) {
                if !list(&answer["Successful"]).any(|done| done["Id"] == entry["Id"]) {
                    continue;
                }
                match operation {
                    "DeleteMessageBatch" => known.delete(&text(&entry["ReceiptHandle"]), at),
                    _ => change(known, entry, at),
                }
            }
        }
        "PurgeQueue" => known.purge(at),
        "GetQueueAttributes" => reconcile(queues, &queue, &answer["Attributes"], at),
        _ => {}
    }
}

fn add_letters(letters: &mut Queue, given_up: Vec<Message>, at: SystemTime) {
    for message in given_up {
        letters.insert(Message::new(&message.id, &message.body, at, at));
    }
}

/// What SQS counts is right: a receive that moves a message and finds none answers only when its
/// wait is over, and by then the message may be gone again.
fn reconcile(queues: &mut BTreeMap<String, Queue>, name: &str, attributes: &Json, at: SystemTime) {
    let counts = ["", "NotVisible", "Delayed"].map(|kind| {
        seconds(&attributes[&*format!("ApproximateNumberOfMessages{kind}")])
            .map(|it| usize::try_from(it.as_secs()).unwrap_or(usize::MAX))
    });
    let [Some(visible), Some(in_flight), Some(delayed)] = counts else { return };
    let count = visible + in_flight + delayed;
    let known = queues.get(name).map_or(0, |it| it.messages().count());
    if count == 0
        && let Some(queue) = queues.get_mut(name)
    {
        queue.forget(at);
    }
    let missing = count.saturating_sub(known);
    let sources = queues.values_mut().filter(|it| it.dead_letters.as_deref() == Some(name));
    let given_up: Vec<_> = sources.flat_map(|it| it.give_up(at, missing)).collect();
    if let Some(letters) = queues.get_mut(name) {
        add_letters(letters, given_up, at);
    }
}

fn settings(queue: &mut Queue, attributes: &Json) {
    if let Some(redrive) = attributes["RedrivePolicy"].as_str() {
        let redrive: Json = serde_json::from_str(redrive).unwrap_or_default();
        queue.max_receives = seconds(&redrive["maxReceiveCount"]).map(|it| it.as_secs() as u32);
        queue.dead_letters = redrive["deadLetterTargetArn"].as_str().map(name);
    }
    if let Some(visibility) = seconds(&attributes["VisibilityTimeout"]) {
        queue.visibility = Some(visibility);
    }
}

fn send(queue: &mut Queue, asked: &Json, answer: &Json, at: SystemTime) {
    let visible_at = at + seconds(&asked["DelaySeconds"]).unwrap_or_default();
    let body = asked["MessageBody"].as_str().unwrap_or_default();
    queue.insert(Message::new(&text(&answer["MessageId"]), body, at, visible_at));
}

fn change(queue: &mut Queue, asked: &Json, at: SystemTime) {
    let hidden = seconds(&asked["VisibilityTimeout"]).unwrap_or_default();
    queue.change_visibility(&text(&asked["ReceiptHandle"]), at, hidden.as_secs());
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

/// A number, which SQS takes as a text too.
fn seconds(json: &Json) -> Option<Duration> {
    let number = json.as_u64().or_else(|| json.as_str()?.parse().ok());
    number.map(Duration::from_secs)
}
