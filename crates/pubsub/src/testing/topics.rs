//! SNS topics in memory: they keep what was published.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::notification::Notification;

/// All topics of an account. Clones are the same topics.
#[derive(Clone, Default)]
pub struct Topics(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    published: Vec<Notification>,
    failures: usize,
}

/// The fields of an entry of a request, without the entry's prefix.
type Fields = BTreeMap<String, String>;

impl Topics {
    /// What was published to the topic `name`, in the order of publishing.
    pub fn published(&self, name: &str) -> Vec<Notification> {
        let state = self.state();
        let published = state.published.iter();
        published.filter(|it| it.topic.as_deref() == Some(name)).cloned().collect()
    }

    /// The next `times` requests fail with a server error.
    pub fn fail(&self, times: usize) {
        self.state().failures = times;
    }

    /// The status and body of the answer of SNS to a `PublishBatch` request.
    pub fn answer(&self, form: &[u8]) -> (u16, String) {
        let mut state = self.state();
        if state.failures > 0 {
            state.failures -= 1;
            return (500, String::new());
        }
        let mut topic = String::new();
        let mut entries: BTreeMap<usize, Fields> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(form) {
            if name == "TopicArn" {
                topic = value.rsplit(':').next().unwrap_or_default().to_owned();
            } else if let Some((number, field)) = entry_field(&name) {
                entries.entry(number).or_default().insert(field.to_owned(), value.into_owned());
            }
        }
        let mut successful = String::new();
        for fields in entries.into_values() {
            let message_id = format!("{:012}", state.published.len());
            let id = fields.get("Id").map(String::as_str).unwrap_or_default();
            successful +=
                &format!("<member><Id>{id}</Id><MessageId>{message_id}</MessageId></member>");
            state.published.push(notification(message_id, &topic, &fields));
        }
        let body = format!(
            "<PublishBatchResponse><PublishBatchResult><Successful>{successful}</Successful>\
             <Failed></Failed></PublishBatchResult></PublishBatchResponse>"
        );
        (200, body)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of the entry and the field, of `PublishBatchRequestEntries.member.1.Id`.
fn entry_field(name: &str) -> Option<(usize, &str)> {
    let (number, field) =
        name.strip_prefix("PublishBatchRequestEntries.member.")?.split_once('.')?;
    Some((number.parse().ok()?, field))
}

fn notification(message_id: String, topic: &str, fields: &Fields) -> Notification {
    let field = |name: &str| fields.get(name).cloned();
    let attributes = (1..).map_while(|number| {
        let attribute = format!("MessageAttributes.entry.{number}");
        let value = field(&format!("{attribute}.Value.StringValue"));
        Some((field(&format!("{attribute}.Name"))?, value.unwrap_or_default()))
    });
    Notification {
        message_id,
        topic: Some(topic.to_owned()),
        published_at: None,
        message: field("Message").unwrap_or_default(),
        attributes: attributes.collect(),
        group: field("MessageGroupId"),
        attempt: 1,
        retries: 0,
        envelope: None,
    }
}
