//! What is to be made for a service: Copilot's own resources and those of its addons, side by
//! side, with the references between them.
//!
//! CloudFormation would make them as two stacks, one nested in the other; so they are two
//! namespaces here.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_saphyr::Location;

use super::{
    expression::{Expression, Text},
    manifest::{Kind, Manifest, Within, messages::DeadLetter},
    template::{
        Output, Resource,
        messaging::{Queue, QueuePolicy, RedrivePolicy, Subscription, Topic},
    },
};

/// How long a dead letter waits for a person, as Copilot has it: 14 days.
const DEAD_LETTER_RETENTION_SECONDS: u32 = 1_209_600;
/// A worker's queue, as Copilot's template calls it.
pub const EVENTS_QUEUE: &str = "EventsQueue";
/// A worker's dead-letter queue, as Copilot's template calls it.
pub const DEAD_LETTER_QUEUE: &str = "DeadLetterQueue";

/// The names that all physical names begin with.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The application.
    pub application: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The service.
    pub service: &'a str,
}

impl Names<'_> {
    /// `<application>-<environment>-<service>-<name>`.
    pub fn physical(&self, name: &str) -> String {
        let Self { application, environment, service } = self;
        format!("{application}-{environment}-{service}-{name}")
    }
}

/// Resources, and what they need to know and tell.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// What every physical name in it begins with, when a resource has no name of its own.
    pub prefix: String,
    /// What it was told: texts of the stack that it is nested in.
    pub parameters: BTreeMap<String, Text>,
    /// The file that says so, if there is one.
    pub parameters_file: Option<PathBuf>,
    /// What it makes, by logical id.
    pub resources: BTreeMap<String, Declared<Resource>>,
    /// What it tells, by name.
    pub outputs: BTreeMap<String, Declared<Output>>,
}

impl Stack {
    /// The outputs that become variables of the service: all but managed policies, which Copilot
    /// attaches to the task role.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Declared<Output>)> {
        let outputs = self.outputs.iter().filter(|(_, output)| !self.is_policy(output));
        outputs.map(|(name, output)| (name.as_str(), output))
    }

    /// Whether one of the outputs is a managed policy.
    pub fn has_policy_output(&self) -> bool {
        self.outputs.values().any(|output| self.is_policy(output))
    }

    fn is_policy(&self, output: &Declared<Output>) -> bool {
        let Expression::Ref(id) = &output.value.value.expression else {
            return false;
        };
        let resource = self.resources.get(id).map(|resource| &resource.value);
        matches!(resource, Some(Resource::ManagedPolicy))
    }
}

/// Something, and where it was declared.
#[derive(Clone, Debug)]
pub struct Declared<T> {
    /// The thing.
    pub value: T,
    /// The file.
    pub file: PathBuf,
    /// Where in the file.
    pub location: Location,
}

/// What Copilot makes for a service.
pub fn of_manifest(names: &Names<'_>, kind: Kind, manifest: &Manifest, file: &Path) -> Stack {
    let mut resources = BTreeMap::new();
    for topic in manifest.publish.iter().flat_map(|publish| &publish.topics) {
        let name = &topic.name.value.0;
        let resource = Resource::Topic(Topic::named(literal(names.physical(name))));
        resources.insert(topic_id(name), (resource, topic.name.referenced));
    }
    if kind == Kind::Worker {
        queues(names, manifest, &mut resources);
        subscriptions(manifest, &mut resources);
    }
    let declared = |(value, location)| Declared::new(value, file, location);
    Stack {
        prefix: names.physical(""),
        resources: (resources.into_iter()).map(|(id, resource)| (id, declared(resource))).collect(),
        ..Stack::default()
    }
}

/// A queue and where its messages go that no try could handle, by logical id.
#[derive(Clone, Copy, Debug)]
pub struct QueueIds<'a> {
    /// Whether they are in the stack of the addons.
    pub addons: bool,
    /// The queue.
    pub queue: &'a str,
    /// Its dead-letter queue.
    pub dead_letters: Option<&'a str>,
}

impl Stack {
    /// The first queue that is not there for another's dead letters.
    pub fn queue(&self, addons: bool) -> Option<QueueIds<'_>> {
        let queues = || {
            self.resources.iter().filter_map(|(id, resource)| match &resource.value {
                Resource::Queue(queue) => Some((id.as_str(), dead_letters(queue))),
                _ => None,
            })
        };
        let (queue, dead_letters) =
            queues().find(|(id, _)| queues().all(|(_, letters)| letters != Some(id)))?;
        Some(QueueIds { addons, queue, dead_letters })
    }
}

fn dead_letters(queue: &Queue) -> Option<&str> {
    match &queue.redrive_policy.as_ref()?.dead_letter_target_arn.expression {
        Expression::Attribute(id, _) => Some(id),
        _ => None,
    }
}

/// The logical id of a topic in Copilot's template.
pub fn topic_id(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{letters}SNSTopic")
}

type Placed = BTreeMap<String, (Resource, Location)>;

fn queues(names: &Names<'_>, manifest: &Manifest, resources: &mut Placed) {
    let subscribe = manifest.subscribe.as_ref();
    let place = subscribe.map_or(Location::UNKNOWN, |it| it.referenced);
    let settings = (subscribe.map(|it| it.value.queue.clone())).unwrap_or_default();
    let mut queue = Queue::named(literal(names.physical(EVENTS_QUEUE)));
    queue.message_retention_period = settings.retention.map(|it| Within(it.0));
    queue.delay_seconds = settings.delay.map(|it| Within(it.0));
    queue.visibility_timeout = settings.timeout.map(|it| Within(it.0));
    if let Some(DeadLetter { tries }) = settings.dead_letter {
        queue.redrive_policy = Some(RedrivePolicy {
            dead_letter_target_arn: arn(DEAD_LETTER_QUEUE),
            max_receive_count: tries,
        });
        let mut dead_letters = Queue::named(literal(names.physical(DEAD_LETTER_QUEUE)));
        dead_letters.message_retention_period = Some(Within(DEAD_LETTER_RETENTION_SECONDS));
        let resource = Resource::Queue(dead_letters);
        resources.insert(DEAD_LETTER_QUEUE.to_owned(), (resource, place));
    }
    resources.insert(EVENTS_QUEUE.to_owned(), (Resource::Queue(queue), place));
}

fn subscriptions(manifest: &Manifest, resources: &mut Placed) {
    let topics: Vec<_> = manifest.subscriptions().collect();
    for subscription in &topics {
        let (service, topic) = (&subscription.service.value, &subscription.name.value.0);
        let resource = Resource::Subscription(Subscription::of(
            topic_arn(service, topic),
            arn(EVENTS_QUEUE),
            subscription.filter_policy.clone(),
        ));
        let id = format!("{service}{}Subscription", topic_id(topic));
        resources.insert(id, (resource, subscription.name.referenced));
    }
    let senders =
        (topics.iter()).map(|it| topic_arn(&it.service.value, &it.name.value.0)).collect();
    let policy = QueuePolicy::for_topics(EVENTS_QUEUE, senders);
    let place = topics.first().map(|it| it.name.referenced);
    if let Some(place) = place {
        let id = "QueuePolicy".to_owned();
        resources.insert(id, (Resource::QueuePolicy(policy), place));
    }
}

pub(super) fn literal(text: String) -> Text {
    Text::made(Expression::Literal(text))
}

fn arn(resource: &str) -> Text {
    Text::made(Expression::Attribute(resource.to_owned(), "Arn".to_owned()))
}

fn topic_arn(service: &str, topic: &str) -> Text {
    Text::made(Expression::Topic { service: service.to_owned(), topic: topic.to_owned() })
}

impl<T> Declared<T> {
    pub(super) fn new(value: T, file: &Path, location: Location) -> Self {
        Self { value, file: file.to_owned(), location }
    }
}
