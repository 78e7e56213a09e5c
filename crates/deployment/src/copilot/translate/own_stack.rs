//! The stack that Copilot writes for a service, with the resources that a local account needs.

use std::collections::BTreeMap;

use serde_saphyr::Location;

use crate::{
    cloudformation::{
        expression::{Expression, Text},
        stack::{Declared, Stack},
        template::{
            Output, Resource,
            messaging::{Queue, RedrivePolicy, Subscription, Topic, Undelivered},
        },
    },
    copilot::{
        manifest::{
            Manifest,
            fifo::{self, QueueFifo},
            messages::{self, DeadLetter},
            service_type::ServiceType,
        },
        names::Names,
        permissions::{Permissions, TASK_ROLE},
        service::ServiceFiles,
    },
    within::Within,
};

/// The logical id of a worker's queue.
pub const EVENTS_QUEUE: &str = "EventsQueue";
/// The logical id of a worker's dead-letter queue.
const DEAD_LETTER_QUEUE: &str = "DeadLetterQueue";
/// How long Copilot keeps dead letters: 14 days.
const DEAD_LETTER_RETENTION_SECONDS: u32 = 1_209_600;

/// The key by which Copilot lets SNS encrypt.
const TOPIC_KEY: &str = "alias/aws/sns";
/// The key that Copilot makes for the queues of a worker.
const QUEUE_KEY: &str = "EventsKMSKey";

/// Resources by logical id, with their places in the manifest.
type Resources = BTreeMap<String, (Resource, Location)>;

/// The stack of a service.
pub fn of(names: &Names<'_>, files: &ServiceFiles) -> Stack {
    let manifest = &files.manifest;
    let mut resources = Resources::new();
    let mut outputs = BTreeMap::new();
    for messages::Topic { name, fifo } in manifest.topics() {
        let (id, place) = (name.value.logical_id(), name.referenced);
        let name = names.physical(&name.value.0);
        let output = Output::exported(reference(&id), literal(name.clone()));
        outputs.insert(id.clone(), Declared::new(output, &files.file, place));
        let mut topic = Topic::named(literal(name));
        topic.kms_master_key_id = Some(literal(TOPIC_KEY.to_owned()));
        fifo.iter().for_each(|fifo| fifo.apply(&mut topic));
        resources.insert(id, (Resource::Topic(topic), place));
    }
    if files.service_type == ServiceType::Worker {
        add_queues(names, manifest, &mut resources);
        add_subscriptions(names, files, &mut resources);
    }
    let resources = resources.into_iter();
    let mut resources: BTreeMap<_, _> = resources
        .map(|(id, (resource, place))| (id, Declared::new(resource, &files.file, place)))
        .collect();
    if !resources.is_empty() {
        resources.extend(patched(files));
        resources.extend(permissions(names, files));
    }
    let (name, parameters) = (names.stack(), parameters(names));
    Stack { name, parent: None, parameters, resources, outputs }
}

/// The parameters that say what the names are.
fn parameters(names: &Names<'_>) -> BTreeMap<String, Text> {
    let Names { application, environment, service } = names;
    [("AppName", application), ("EnvName", environment), ("WorkloadName", service)]
        .map(|(name, value)| (name.to_owned(), literal((*value).to_owned())))
        .into()
}

/// The queues and alarms that patches add.
fn patched(files: &ServiceFiles) -> Vec<(String, Declared<Resource>)> {
    let queues = files.patched.queues.iter();
    let queues = queues.map(|(id, queue)| (id, Resource::Queue(queue.clone()), Location::UNKNOWN));
    let alarms = files.patched.alarms.iter();
    let alarms = alarms.map(|(id, it)| (id, Resource::Alarm(it.clone()), it.location));
    queues
        .chain(alarms)
        .map(|(id, it, place)| (id.clone(), Declared::new(it, &files.patches_file, place)))
        .collect()
}

/// The role of the service's tasks, its policies, and those of the queues. Only a patch can make a
/// mistake in one of them.
fn permissions(names: &Names<'_>, files: &ServiceFiles) -> Vec<(String, Declared<Resource>)> {
    let Permissions { of_role, of_queues } = &files.permissions;
    let policies = of_role.iter().map(|(name, document)| {
        let resource = Resource::Policy(document.clone());
        (format!("{TASK_ROLE}.{name}"), (resource, document.location))
    });
    let queues = of_queues.iter().map(|(id, policy)| {
        let place = policy.policy_document.location;
        (id.clone(), (Resource::QueuePolicy(policy.clone()), place))
    });
    let name = literal(names.physical(TASK_ROLE));
    let role = Resource::Role { name, managed_policies: Vec::new() };
    policies
        .chain(queues)
        .chain([(TASK_ROLE.to_owned(), (role, Location::UNKNOWN))])
        .map(|(id, (resource, place))| (id, Declared::new(resource, &files.patches_file, place)))
        .collect()
}

fn add_queues(names: &Names<'_>, manifest: &Manifest, resources: &mut Resources) {
    let subscribe = manifest.subscribe.as_ref();
    let place = subscribe.map_or(Location::UNKNOWN, |it| it.referenced);
    let settings = (subscribe.map(|it| it.value.queue.clone())).unwrap_or_default();
    let fifo = settings.fifo.map(|fifo| fifo.value).filter(QueueFifo::is_on);
    let suffix = fifo.as_ref().map_or("", |_| fifo::SUFFIX);
    let name = |id: &str| literal(names.physical(id) + suffix);
    let mut queue = Queue::named(name(EVENTS_QUEUE));
    queue.kms_master_key_id = Some(reference(QUEUE_KEY));
    fifo.iter().for_each(|fifo| fifo.apply(&mut queue));
    queue.message_retention_period = settings.retention.map(|it| Within(it.0));
    queue.delay_seconds = settings.delay.map(|it| Within(it.0));
    queue.visibility_timeout = settings.timeout.map(|it| Within(it.0));
    if let Some(DeadLetter { tries }) = settings.dead_letter {
        queue.redrive_policy = Some(RedrivePolicy {
            dead_letter_target_arn: arn(DEAD_LETTER_QUEUE),
            max_receive_count: tries,
        });
        let mut dead_letters = Queue::named(name(DEAD_LETTER_QUEUE));
        dead_letters.kms_master_key_id = Some(reference(QUEUE_KEY));
        dead_letters.fifo_queue = queue.fifo_queue;
        dead_letters.message_retention_period = Some(Within(DEAD_LETTER_RETENTION_SECONDS));
        let resource = Resource::Queue(dead_letters);
        resources.insert(DEAD_LETTER_QUEUE.to_owned(), (resource, place));
    }
    resources.insert(EVENTS_QUEUE.to_owned(), (Resource::Queue(queue), place));
}

fn add_subscriptions(names: &Names<'_>, files: &ServiceFiles, resources: &mut Resources) {
    for subscription in files.manifest.subscriptions() {
        let (service, topic) = (&subscription.service.value, &subscription.name.value);
        let place = subscription.name.referenced;
        let topic_arn = exported_topic(&Names { service, ..*names }, &topic.0);
        let filter_policy = subscription.filter_policy.clone();
        let mut resource = Subscription::of(topic_arn, arn(EVENTS_QUEUE), filter_policy);
        let id = format!("{service}{}Subscription", topic.logical_id());
        let undelivered = files.patched.undelivered.get(&id).cloned();
        resource.redrive_policy =
            undelivered.map(|dead_letter_target_arn| Undelivered { dead_letter_target_arn });
        resources.insert(id, (Resource::Subscription(resource), place));
    }
}

/// The ARN of another service's topic.
///
/// Copilot composes it from names. Here the stack of its owner exports it, so that the resources
/// that use it wait until the topic exists.
fn exported_topic(owner: &Names<'_>, topic: &str) -> Text {
    let export = Expression::Literal(owner.physical(topic));
    Text::made(Expression::Import(Box::new(export)))
}

fn literal(text: String) -> Text {
    Text::made(Expression::Literal(text))
}

fn reference(resource: &str) -> Text {
    Text::made(Expression::Ref(resource.to_owned()))
}

fn arn(resource: &str) -> Text {
    Text::made(Expression::Attribute(resource.to_owned(), "Arn".to_owned()))
}
