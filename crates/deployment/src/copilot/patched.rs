//! What patches add to Copilot's template that concerns messages: alarms, queues, and where a
//! subscription sends what its queue refuses. And the time that a task has to stop.

use std::collections::BTreeMap;

use super::outline::Outline;
use crate::{
    cloudformation::{
        expression::{Data, Expression, Text, Value},
        template::messaging::Queue,
    },
    mistake::Wrong,
    scaling::{self, POLICY, Policies},
    within::Within,
};

/// The queues that Copilot's own template has.
pub const OWN_QUEUES: [&str; 2] = ["EventsQueue", "DeadLetterQueue"];

/// What patches add.
#[derive(Clone, Debug, Default)]
pub struct Patched {
    /// The properties of alarms, by logical id.
    pub alarms: BTreeMap<String, Value>,
    /// Queues, by logical id.
    pub queues: BTreeMap<String, Queue>,
    /// The ARNs of the queues for what is refused, by the subscription's logical id.
    pub undelivered: BTreeMap<String, Text>,
    /// The time between SIGTERM and SIGKILL.
    pub stop_timeout_seconds: Option<u32>,
    /// The image of the collector of spans.
    pub collector_image: Option<String>,
    /// What it scales by, besides what the manifest says.
    pub scaling: Policies,
}

impl Patched {
    /// What is in `outline`.
    ///
    /// # Errors
    ///
    /// The first property of a queue or a scaling policy that is not understood here. It comes
    /// from a patch.
    pub fn of(outline: &Outline) -> Result<Self, Wrong> {
        let mut patched = Self { scaling: scaling_of(outline)?, ..Self::default() };
        for (id, resource) in outline.resources() {
            let at = |path: &[&str]| resource.at(path);
            match at(&["Type"]).and_then(Value::as_literal) {
                Some("AWS::CloudWatch::Alarm") => {
                    let properties =
                        at(&["Properties"]).filter(|it| !sets_off_a_policy(outline, it));
                    patched.alarms.extend(properties.map(|it| (id.clone(), it.clone())));
                }
                Some("AWS::SQS::Queue") if !OWN_QUEUES.contains(&id.as_str()) => {
                    patched.queues.insert(id.clone(), queue(at(&["Properties"]))?);
                }
                _ => {}
            }
            let path = ["Properties", "RedrivePolicy", "deadLetterTargetArn"];
            let target = at(&path).filter(|_| !OWN_QUEUES.contains(&id.as_str()));
            if let Some(Value { data: Data::Text(text), .. }) = target {
                patched.undelivered.insert(id.clone(), text.clone());
            }
            let path = ["Properties", "ContainerDefinitions", "0", "StopTimeout"];
            if let Some(Value { data: Data::Plain(seconds), .. }) = at(&path) {
                patched.stop_timeout_seconds = seconds.as_u64().and_then(|it| it.try_into().ok());
            }
            let path = ["Properties", "ContainerDefinitions", "1", "Image"];
            if let Some(image) = at(&path).and_then(Value::as_literal) {
                patched.collector_image = Some(image.to_owned());
            }
        }
        Ok(patched)
    }
}

/// The resources of a type, with their properties.
fn of_type<'a>(outline: &'a Outline, wanted: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    outline.resources().filter_map(move |(id, resource)| {
        let kind = resource.at(&["Type"]).and_then(Value::as_literal);
        let properties = resource.at(&["Properties"]).filter(|_| kind == Some(wanted))?;
        Some((id.as_str(), properties))
    })
}

/// The policies that patches add. Copilot's own are in the outline without their values.
fn policies(outline: &Outline) -> impl Iterator<Item = (&str, &Value)> {
    let has_type = |it: &Value| it.at(&["PolicyType"]).and_then(Value::as_literal).is_some();
    of_type(outline, POLICY).filter(move |(_, policy)| has_type(policy))
}

fn sets_off_a_policy(outline: &Outline, alarm: &Value) -> bool {
    scaling::sets_off(alarm, policies(outline).map(|(id, _)| id))
}

fn scaling_of(outline: &Outline) -> Result<Policies, Wrong> {
    let alarms = of_type(outline, "AWS::CloudWatch::Alarm").collect();
    let read = scaling::read(&policies(outline).collect(), &alarms, &text, OWN_QUEUES[0]);
    read.map_err(|(place, what)| (place, format!("value: {what}")))
}

/// A text, in which a resource stands for its attributes.
fn text(expression: &Expression) -> String {
    match expression {
        Expression::Literal(it) | Expression::Ref(it) | Expression::Attribute(it, _) => it.clone(),
        Expression::Join(_) | Expression::Import(_) | Expression::Call(_) => String::new(),
    }
}

/// A queue that a patch adds.
fn queue(properties: Option<&Value>) -> Result<Queue, Wrong> {
    let mut queue = Queue::default();
    for (name, value) in properties.and_then(Value::entries).into_iter().flatten() {
        let number = || match &value.data {
            Data::Plain(number) => number.as_u64().and_then(|it| u32::try_from(it).ok()),
            _ => None,
        };
        match (name.as_str(), &value.data) {
            ("MessageRetentionPeriod", _) => {
                queue.message_retention_period = number().map(Within);
            }
            ("VisibilityTimeout", _) => queue.visibility_timeout = number().map(Within),
            ("SqsManagedSseEnabled", Data::Plain(flag)) => {
                queue.sqs_managed_sse_enabled = flag.as_bool();
            }
            ("FifoQueue", Data::Plain(flag)) => queue.fifo_queue = flag.as_bool(),
            ("ContentBasedDeduplication", Data::Plain(flag)) => {
                queue.content_based_deduplication = flag.as_bool();
            }
            ("KmsMasterKeyId", Data::Text(key)) => queue.kms_master_key_id = Some(key.clone()),
            ("QueueName", Data::Text(name)) => queue.queue_name = Some(name.clone()),
            ("Tags", _) => {}
            _ => {
                let what =
                    format!("value: {name} of a queue is not supported by the local account");
                return Err((value.key, what));
            }
        }
    }
    Ok(queue)
}
