//! Events as text and as JSON.

use archive::Event;
use console::times::in_words;
use orders::event::EVENT_TYPE;
use pubsub::notification::Notification;
use serde_json::{Value, json};

use crate::inspect::age;

/// What the columns of a list are called.
pub fn head() -> String {
    format!("{:<50}  {:>6}  {:<24}  order", "event", "sent", "type")
}

/// An event as a line, without what a customer typed.
pub fn line(event: &Event) -> String {
    let message = event.notification();
    let mut what = event_type(&message).to_owned();
    if message.is_caused_by_replay() {
        what += " (replay)";
    }
    let order = event.order.as_deref().unwrap_or("-");
    let (id, age) = (event.id.to_string(), in_words(age(event.id.at())));
    format!("{id:<50}  {age:>6}  {:<24}  {}", escaped(&what), escaped(order))
}

/// An event as JSON, without what a customer typed.
pub fn summary(event: &Event) -> Value {
    let message = event.notification();
    json!({
        "id": event.id.to_string(),
        "sent_at": format!("{:.3}", event.id.at()),
        "topic": message.topic,
        "type": message.attributes.get(EVENT_TYPE),
        "order": event.order,
        "caused_by_replay": message.is_caused_by_replay(),
    })
}

/// All that SNS sent.
pub fn whole(event: &Event) -> anyhow::Result<Value> {
    let mut whole = summary(event);
    whole["envelope"] = serde_json::from_str(&event.envelope)?;
    Ok(whole)
}

/// The same for a person.
pub fn page(event: &Event) -> anyhow::Result<String> {
    let envelope: Value = serde_json::from_str(&event.envelope)?;
    let message = event.notification();
    let mut page = format!(
        "event    {}\nsent     {:.3}\ntopic    {}\norder    {}",
        event.id,
        event.id.at(),
        message.topic.unwrap_or_default(),
        escaped(event.order.as_deref().unwrap_or("-")),
    );
    for (name, value) in envelope["MessageAttributes"].as_object().into_iter().flatten() {
        let [kind, value] = ["Type", "Value"].map(|it| value[it].as_str().unwrap_or_default());
        page += &format!("\n  {} = {} ({kind})", escaped(name), escaped(value));
    }
    let body = serde_json::from_str::<Value>(&message.message);
    let body = body.and_then(|json| serde_json::to_string_pretty(&json));
    Ok(format!("{page}\n{}", escaped(&body.unwrap_or(message.message))))
}

fn event_type(message: &Notification) -> &str {
    message.attributes.get(EVENT_TYPE).map_or("-", String::as_str)
}

/// A terminal would obey control characters.
fn escaped(text: &str) -> String {
    let escape = |letter: char| match letter {
        '\n' => "\n".to_owned(),
        it if it.is_control() => it.escape_default().to_string(),
        it => it.to_string(),
    };
    text.chars().map(escape).collect()
}
