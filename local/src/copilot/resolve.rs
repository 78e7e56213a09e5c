//! Turns what the files say into what AWS is asked for, as soon as the resources that it refers
//! to exist.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{
    Mistake, Service, Workspace,
    expression::{Data, Expression, Text, Value},
    stack::{Declared, Stack, topic_id},
    template::{Queue, Resource, Table},
};

/// A stack's place: a service's own, or nested in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The service.
    pub service: String,
    /// Whether it is the stack of its addons.
    pub addons: bool,
}

/// What is known of a resource that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What `Ref` gives.
    pub reference: String,
    /// What `Fn::GetAtt` gives.
    pub attributes: BTreeMap<&'static str, String>,
}

/// A request to AWS, with every reference in it resolved.
#[derive(Clone, Debug)]
pub enum Request<'a> {
    /// A table with this name.
    Table(String, &'a Table),
    /// A queue with this name and these attributes.
    Queue(String, BTreeMap<&'static str, String>),
    /// A policy for the queues with these URLs.
    QueuePolicy(Vec<String>, String),
    /// A topic with this name.
    Topic(String),
    /// A subscription.
    Subscription {
        /// The topic's ARN.
        topic: String,
        /// The queue's ARN.
        queue: String,
        /// The filter policy as JSON.
        filter: Option<String>,
    },
    /// Nothing that a laptop needs.
    Nothing,
}

/// Why a text is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A resource in it does not exist yet.
    Yet,
    /// It never will be.
    Ever(String),
}

/// A resource and where it belongs.
#[derive(Clone, Debug)]
pub struct Pending<'a> {
    /// Its stack.
    pub place: Place,
    /// Its logical id.
    pub id: &'a str,
    /// What it is.
    pub resource: &'a Declared<Resource>,
}

/// A resource that can be made now, and how.
pub type Ready<'a> = (Pending<'a>, Request<'a>);

/// All that exists so far.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    workspace: &'a Workspace,
    made: BTreeMap<(Place, String), Made>,
}

impl<'a> Known<'a> {
    /// Nothing exists.
    pub fn nothing(workspace: &'a Workspace) -> Self {
        Self {
            workspace,
            made: BTreeMap::new(),
        }
    }

    /// Everything that the files want.
    pub fn pending(&self) -> Vec<Pending<'a>> {
        let mut pending = Vec::new();
        for service in &self.workspace.services {
            for (addons, stack) in [(false, &service.own), (true, &service.addons)] {
                let place = Place {
                    service: service.name.clone(),
                    addons,
                };
                pending.extend(stack.resources.iter().map(|(id, resource)| Pending {
                    place: place.clone(),
                    id,
                    resource,
                }));
            }
        }
        pending
    }

    /// Notes that a resource exists.
    pub fn insert(&mut self, pending: &Pending<'_>, made: Made) {
        let key = (pending.place.clone(), pending.id.to_owned());
        self.made.insert(key, made);
    }

    /// What is known of the resource `id`.
    pub fn get(&self, place: &Place, id: &str) -> Option<&Made> {
        self.made.get(&(place.clone(), id.to_owned()))
    }

    /// Splits what is pending into what can be requested now and what has to wait.
    ///
    /// # Errors
    ///
    /// [`Mistake`] if a text can never be known, or if nothing can be requested although something
    /// is pending: then resources refer to one another in a circle.
    pub fn ready(
        &self,
        pending: Vec<Pending<'a>>,
    ) -> Result<(Vec<Ready<'a>>, Vec<Pending<'a>>), Mistake> {
        let mut ready = Vec::new();
        let mut waiting = Vec::new();
        for it in pending {
            match self.request(&it)? {
                Some(request) => ready.push((it, request)),
                None => waiting.push(it),
            }
        }
        match waiting.first() {
            Some(first) if ready.is_empty() => Err(Mistake::at(
                &first.resource.file,
                first.resource.location,
                format!("{}: it refers to itself in a circle", first.id),
            )),
            _ => Ok((ready, waiting)),
        }
    }

    fn request(&self, pending: &Pending<'a>) -> Result<Option<Request<'a>>, Mistake> {
        let read = Reader {
            known: self,
            place: &pending.place,
        };
        let outcome = match &pending.resource.value {
            Resource::Table(table) => read
                .name(pending.id, table.table_name.as_ref())
                .map(|name| Request::Table(name, table)),
            Resource::Queue(queue) => read
                .name(pending.id, queue.queue_name.as_ref())
                .and_then(|name| Ok(Request::Queue(name, read.attributes(queue)?))),
            Resource::QueuePolicy(policy) => read.texts(&policy.queues).and_then(|urls| {
                let document = read.json(&policy.policy_document)?;
                Ok(Request::QueuePolicy(urls, document.to_string()))
            }),
            Resource::Topic(topic) => read
                .name(pending.id, topic.topic_name.as_ref())
                .map(Request::Topic),
            Resource::Subscription(it) => read.text(&it.topic_arn).and_then(|topic| {
                Ok(Request::Subscription {
                    topic,
                    queue: read.text(&it.endpoint)?,
                    filter: it.filter_policy.as_ref().map(|policy| policy.to_json()),
                })
            }),
            Resource::ManagedPolicy | Resource::Alarm => Ok(Request::Nothing),
        };
        match outcome {
            Ok(request) => Ok(Some(request)),
            Err((Unknown::Yet, _)) => Ok(None),
            Err((Unknown::Ever(why), text)) => {
                let file = &pending.resource.file;
                Err(Mistake::at(
                    file,
                    text.location,
                    format!("{}: {why}", pending.id),
                ))
            }
        }
    }

    /// The outputs of a service's addons that become variables, by the output's name.
    ///
    /// # Errors
    ///
    /// [`Mistake`] if one can never be known.
    pub fn outputs(&self, service: &Service) -> Result<BTreeMap<String, String>, Mistake> {
        let place = Place {
            service: service.name.clone(),
            addons: true,
        };
        let mut outputs = BTreeMap::new();
        for (name, output) in &service.addons.outputs {
            let value = &output.value.value;
            if service.addons.is_policy(value) {
                continue;
            }
            match self.evaluate(&place, &value.expression) {
                Ok(text) => {
                    outputs.insert(name.clone(), text);
                }
                Err(Unknown::Yet) => {}
                Err(Unknown::Ever(why)) => {
                    let what = format!("Outputs.{name}.Value: {why}");
                    return Err(Mistake::at(&output.file, value.location, what));
                }
            }
        }
        Ok(outputs)
    }

    /// The text that `expression` makes in the stack at `place`.
    ///
    /// # Errors
    ///
    /// [`Unknown`] if it is not known.
    pub fn evaluate(&self, place: &Place, expression: &Expression) -> Result<String, Unknown> {
        match expression {
            Expression::Literal(text) => Ok(text.clone()),
            Expression::Ref(name) => self.reference(place, name),
            Expression::Attribute(id, attribute) => self.attribute(place, id, attribute),
            Expression::Join(pieces) => (pieces.iter())
                .map(|piece| self.evaluate(place, piece))
                .collect(),
            Expression::Import(name) => self.import(&self.evaluate(place, name)?),
            Expression::Topic { service, topic } => {
                let place = Place {
                    service: service.clone(),
                    addons: false,
                };
                self.reference(&place, &topic_id(topic))
            }
        }
    }

    fn reference(&self, place: &Place, name: &str) -> Result<String, Unknown> {
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return self.pseudo_parameter(pseudo);
        }
        let stack = self.stack(place)?;
        if let Some(text) = stack.parameters.get(name) {
            // An argument is a text of the stack around; a default or a name is a literal.
            let outer = Place {
                service: place.service.clone(),
                addons: false,
            };
            return self.evaluate(&outer, &text.expression);
        }
        self.made(stack, place, name)
            .map(|made| made.reference.clone())
    }

    fn attribute(&self, place: &Place, id: &str, attribute: &str) -> Result<String, Unknown> {
        let made = self.made(self.stack(place)?, place, id)?;
        made.attributes.get(attribute).cloned().ok_or_else(|| {
            Unknown::Ever(format!(
                "the resource {id} has no attribute {attribute} here"
            ))
        })
    }

    fn made(&self, stack: &Stack, place: &Place, id: &str) -> Result<&Made, Unknown> {
        if !stack.resources.contains_key(id) {
            let what = format!("there is no resource or parameter {id}");
            return Err(Unknown::Ever(what));
        }
        self.get(place, id).ok_or(Unknown::Yet)
    }

    fn stack(&self, place: &Place) -> Result<&'a Stack, Unknown> {
        let mut services = self.workspace.services.iter();
        services
            .find(|service| service.name == place.service)
            .map(|service| {
                if place.addons {
                    &service.addons
                } else {
                    &service.own
                }
            })
            .ok_or_else(|| Unknown::Ever(format!("there is no service {}", place.service)))
    }

    /// Region and account are those of whatever exists first.
    fn pseudo_parameter(&self, name: &str) -> Result<String, Unknown> {
        let mut arns = self
            .made
            .values()
            .filter_map(|made| made.attributes.get("Arn"));
        let arn = arns.next().ok_or(Unknown::Yet)?;
        let part = match name {
            "Partition" => 1,
            "Region" => 3,
            "AccountId" => 4,
            _ => return Err(Unknown::Ever(format!("AWS::{name} is not supported here"))),
        };
        arn.split(':')
            .nth(part)
            .map(str::to_owned)
            .ok_or(Unknown::Yet)
    }

    fn import(&self, wanted: &str) -> Result<String, Unknown> {
        let mut unknown = false;
        for service in &self.workspace.services {
            let place = Place {
                service: service.name.clone(),
                addons: true,
            };
            for output in service.addons.outputs.values() {
                let Some(export) = &output.value.export else {
                    continue;
                };
                match self.evaluate(&place, &export.name.expression) {
                    Ok(name) if name == wanted => {
                        return self.evaluate(&place, &output.value.value.expression);
                    }
                    Ok(_) => {}
                    Err(_) => unknown = true,
                }
            }
        }
        Err(if unknown {
            Unknown::Yet
        } else {
            Unknown::Ever(format!("no addon exports {wanted:?}"))
        })
    }
}

impl Stack {
    /// Copilot attaches managed policies to the task role, and makes no variable of them.
    fn is_policy(&self, text: &Text) -> bool {
        matches!(&text.expression, Expression::Ref(id) if matches!(
            self.resources.get(id).map(|it| &it.value),
            Some(Resource::ManagedPolicy)
        ))
    }
}

/// Reads the texts of one resource.
struct Reader<'a, 'w> {
    known: &'a Known<'w>,
    place: &'a Place,
}

type Read<T> = Result<T, (Unknown, Text)>;

impl Reader<'_, '_> {
    fn text(&self, text: &Text) -> Read<String> {
        (self.known.evaluate(self.place, &text.expression)).map_err(|why| (why, text.clone()))
    }

    fn texts(&self, texts: &[Text]) -> Read<Vec<String>> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    /// A resource without a name of its own is named after its stack and logical id.
    fn name(&self, id: &str, text: Option<&Text>) -> Read<String> {
        match text {
            Some(text) => self.text(text),
            None => {
                let stack = self.known.stack(self.place);
                let prefix = stack.map_or("", |stack| stack.prefix.as_str());
                Ok(format!("{prefix}{id}"))
            }
        }
    }

    fn attributes(&self, queue: &Queue) -> Read<BTreeMap<&'static str, String>> {
        let seconds = [
            (
                "MessageRetentionPeriod",
                queue.message_retention_period.map(|it| it.0),
            ),
            ("VisibilityTimeout", queue.visibility_timeout.map(|it| it.0)),
            ("DelaySeconds", queue.delay_seconds.map(|it| it.0)),
            (
                "ReceiveMessageWaitTimeSeconds",
                queue.receive_message_wait_time_seconds.map(|it| it.0),
            ),
        ];
        let mut attributes: BTreeMap<_, _> = (seconds.into_iter())
            .filter_map(|(name, value)| Some((name, value?.to_string())))
            .collect();
        if let Some(policy) = &queue.redrive_policy {
            let policy = json!({
                "deadLetterTargetArn": self.text(&policy.dead_letter_target_arn)?,
                "maxReceiveCount": policy.max_receive_count.0,
            });
            attributes.insert("RedrivePolicy", policy.to_string());
        }
        Ok(attributes)
    }

    fn json(&self, value: &Value) -> Read<Json> {
        Ok(match &value.data {
            Data::Plain(plain) => plain.clone(),
            Data::Text(text) => self.text(text)?.into(),
            Data::List(values) => {
                let values: Read<Vec<Json>> = values.iter().map(|it| self.json(it)).collect();
                values?.into()
            }
            Data::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (key, value) in entries {
                    map.insert(key.clone(), self.json(value)?);
                }
                map.into()
            }
        })
    }
}

/// Resolves everything against an account that is only imagined, to find what never could be.
pub fn check(workspace: &Workspace) -> Result<(), Mistake> {
    let mut known = Known::nothing(workspace);
    let mut pending = known.pending();
    while !pending.is_empty() {
        let (ready, waiting) = known.ready(pending)?;
        for (it, request) in ready {
            let made = imagined(&request);
            known.insert(&it, made);
        }
        pending = waiting;
    }
    for service in &workspace.services {
        known.outputs(service)?;
    }
    Ok(())
}

fn imagined(request: &Request<'_>) -> Made {
    let arn = |service, name: &str| format!("arn:aws:{service}:region:account:{name}");
    match request {
        Request::Table(name, _) => Made::table(name, arn("dynamodb", name)),
        Request::Queue(name, _) => Made::queue(name, name.clone(), arn("sqs", name)),
        Request::Topic(name) => Made::topic(name, arn("sns", name)),
        Request::QueuePolicy(..) | Request::Subscription { .. } | Request::Nothing => {
            Made::nothing()
        }
    }
}

impl Made {
    /// A table.
    pub fn table(name: &str, arn: String) -> Self {
        Self {
            reference: name.to_owned(),
            attributes: [("Arn", arn)].into(),
        }
    }

    /// A queue.
    pub fn queue(name: &str, url: String, arn: String) -> Self {
        Self {
            reference: url.clone(),
            attributes: [
                ("Arn", arn),
                ("QueueName", name.to_owned()),
                ("QueueUrl", url),
            ]
            .into(),
        }
    }

    /// A topic.
    pub fn topic(name: &str, arn: String) -> Self {
        Self {
            reference: arn.clone(),
            attributes: [("TopicArn", arn), ("TopicName", name.to_owned())].into(),
        }
    }

    /// Something that nothing refers to.
    pub fn nothing() -> Self {
        Self {
            reference: String::new(),
            attributes: BTreeMap::new(),
        }
    }
}
