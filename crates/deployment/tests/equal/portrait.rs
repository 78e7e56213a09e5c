//! Everything in a deployment that the services depend on, by names that both descriptions share.

use std::collections::{BTreeMap, BTreeSet};

use deployment::{
    Deployment, changes_tasks,
    cloudformation::{
        expression::Value,
        resolve::{self, known::Known, request::Request, shown::shown},
        stack::Stack,
        template::{Resource, table::Table},
    },
    description::Service,
};
use serde_json::{Map, Value as Json, json};

use crate::names::Names;

/// The portrait of `deployment`.
pub fn portrait(deployment: &Deployment) -> Json {
    let known = resolve::imagined(&deployment.stacks).unwrap();
    let names = Names::of(deployment, &known);
    let painter = Painter { deployment, known: &known, names: &names };
    let services = deployment.services.iter();
    let services = services.map(|it| (it.name.clone(), painter.service(it)));
    let mut portrait: Map<String, Json> = services.collect();
    for stack in &deployment.stacks {
        for (id, declared) in &stack.resources {
            let request = Request::of(&stack.resource_id(id), declared, &known).unwrap().unwrap();
            portrait.extend(painter.resource(stack, &declared.value, &request));
        }
    }
    Json::Object(portrait)
}

struct Painter<'a> {
    deployment: &'a Deployment,
    known: &'a Known<'a>,
    names: &'a Names,
}

impl Painter<'_> {
    fn service(&self, service: &Service) -> Json {
        let variables = service.variables.iter().map(|(name, variable)| {
            let value = self.known.evaluate(&variable.stack, &variable.value).unwrap();
            (name.clone(), self.names.common(&value).into())
        });
        json!({
            "kind": format!("{:?}", service.kind),
            "variables": variables.collect::<BTreeMap<String, Json>>(),
            "collector of spans": service.has_span_collector,
            "operation": serde_json::to_value(&service.operation).unwrap(),
            "may": self.permissions(service),
        })
    }

    /// What a service may do, by action: by policies of its role, and by those of queues.
    fn permissions(&self, service: &Service) -> BTreeMap<String, BTreeSet<String>> {
        let role = format!("role of {}", service.name);
        let mut statements = Vec::new();
        for stack in &self.deployment.stacks {
            for (id, declared) in &stack.resources {
                let id = stack.resource_id(id);
                match Request::of(&id, declared, self.known).unwrap().unwrap() {
                    Request::Policy(document) if service.role.policies.contains(&id) => {
                        statements.extend(list(&document["Statement"]));
                    }
                    Request::QueuePolicy(_, document) => {
                        let document: Json = serde_json::from_str(&document).unwrap();
                        let own = list(&document["Statement"]).into_iter().filter(|it| {
                            let who = list(&it["Principal"]["AWS"]);
                            who.iter().any(|it| self.common(it) == role)
                        });
                        statements.extend(own);
                    }
                    _ => {}
                }
            }
        }
        let mut may = BTreeMap::<String, BTreeSet<String>>::new();
        for statement in statements {
            for action in list(&statement["Action"]) {
                let action = match statement["Effect"].as_str().unwrap() {
                    "Allow" => action.as_str().unwrap().to_owned(),
                    effect => format!("{effect} {}", action.as_str().unwrap()),
                };
                let resources = list(&statement["Resource"]).into_iter();
                may.entry(action).or_default().extend(resources.flat_map(|it| self.arns(&it)));
            }
        }
        may
    }

    /// The resources that an ARN, or a pattern of ARNs, stands for.
    fn arns(&self, arn: &Json) -> Vec<String> {
        match arn.as_str().unwrap() {
            "*" => vec!["*".to_owned()],
            pattern if pattern.contains('*') => self.names.fitting(pattern),
            arn => vec![self.names.common(arn)],
        }
    }

    fn common(&self, text: &Json) -> String {
        self.names.get(text.as_str().unwrap_or_default()).unwrap_or_default().to_owned()
    }

    fn resource(
        &self,
        stack: &Stack,
        resource: &Resource,
        request: &Request<'_>,
    ) -> Option<(String, Json)> {
        match (resource, request) {
            (_, Request::Table(name, table)) => {
                Some((self.names.get(name)?.to_owned(), self::table(table)))
            }
            (Resource::Queue(queue), Request::Queue(name, attributes)) => {
                let mut it = json!(attributes);
                it["encrypted"] = (queue.sqs_managed_sse_enabled == Some(true)
                    || queue.kms_master_key_id.is_some())
                .into();
                if let Some(redrive) = attributes.get("RedrivePolicy") {
                    let redrive: Json = serde_json::from_str(redrive).unwrap();
                    let target = redrive["deadLetterTargetArn"].as_str().unwrap();
                    let what = format!("receives before {}", self.names.common(target));
                    it[what] = redrive["maxReceiveCount"].clone();
                    it.as_object_mut().unwrap().remove("RedrivePolicy");
                }
                Some((self.names.get(name)?.to_owned(), it))
            }
            (Resource::Topic(topic), Request::Topic(name, attributes)) => {
                let mut it = json!(attributes);
                it["encrypted"] = topic.kms_master_key_id.is_some().into();
                Some((self.names.get(name)?.to_owned(), it))
            }
            (_, Request::Subscription { topic, queue, filter, undelivered }) => {
                let refused = undelivered.as_ref().map(|it| self.names.common(it));
                let filter = filter.as_ref().map(|it| serde_json::from_str::<Json>(it).unwrap());
                let name = format!("subscription of {queue} to {topic}");
                Some((self.names.common(&name), json!({"filter": filter, "refused": refused})))
            }
            (_, Request::QueuePolicy(queues, document)) => {
                let document: Json = serde_json::from_str(document).unwrap();
                let topics = self.may_send(&document);
                let name = format!("senders to the {}", self.names.get(&queues[0])?);
                Some((name, json!(topics))).filter(|_| !topics.is_empty())
            }
            (Resource::Alarm(properties), _) if !changes_tasks(stack, properties) => {
                Some(self.alarm(stack, properties))
            }
            (Resource::Other(kind, properties), _) if kind == "AWS::CloudWatch::Dashboard" => {
                Some(("dashboard".to_owned(), self.common_json(stack, properties)))
            }
            _ => None,
        }
    }

    /// The topics that a queue's policy lets send.
    fn may_send(&self, document: &Json) -> BTreeSet<String> {
        let statements = list(&document["Statement"]).into_iter();
        let by_sns = statements.filter(|it| it["Principal"]["Service"] == "sns.amazonaws.com");
        let sources = by_sns.flat_map(|it| {
            ["ArnLike", "ArnEquals"]
                .map(|operator| it["Condition"][operator]["aws:SourceArn"].clone())
        });
        let patterns =
            sources.flat_map(|it| list(&it)).filter_map(|it| it.as_str().map(str::to_owned));
        patterns
            .flat_map(|it| self.names.fitting(&it))
            .filter(|it| it.starts_with("topic"))
            .collect()
    }

    /// An alarm, by what it watches.
    fn alarm(&self, stack: &Stack, properties: &Value) -> (String, Json) {
        let alarm = self.common_json(stack, properties);
        let metrics = list(&alarm["Metrics"]).into_iter();
        let mut metrics: Vec<_> = metrics.map(|it| it["MetricStat"]["Metric"].clone()).collect();
        metrics.retain(|it| !it.is_null());
        if metrics.is_empty() {
            metrics.push(alarm.clone());
        }
        let watched = metrics.iter().map(|metric| {
            let dimensions = list(&metric["Dimensions"]);
            let of: Vec<_> = dimensions.iter().filter_map(|it| it["Value"].as_str()).collect();
            format!("{} of {}", metric["MetricName"].as_str().unwrap_or_default(), of.join(", "))
        });
        (format!("alarm on {}", watched.collect::<Vec<_>>().join(" and ")), alarm)
    }

    /// `value` with common names.
    fn common_json(&self, stack: &Stack, value: &Value) -> Json {
        self.renamed(shown(self.known, &self.deployment.stacks, stack, value))
    }

    fn renamed(&self, value: Json) -> Json {
        match value {
            Json::String(text) => {
                let text = self.names.common(&text).replace("PublicLoad", "Load");
                let text = text.replace(&format!("{}-", self.deployment.application), "");
                // A parameter is a text, where the other description may have a number.
                text.parse().map(|it: i64| it.into()).unwrap_or_else(|_| text.into())
            }
            Json::Array(items) => items.into_iter().map(|it| self.renamed(it)).collect(),
            Json::Object(entries) => {
                entries.into_iter().map(|(key, it)| (key, self.renamed(it))).collect()
            }
            plain => plain,
        }
    }
}

fn table(table: &Table) -> Json {
    let key = |keys: &[deployment::cloudformation::template::table::Key]| {
        let keys = keys.iter();
        keys.map(|it| format!("{} {:?}", it.attribute_name.value, it.key_type)).collect::<Vec<_>>()
    };
    let attributes = table.attribute_definitions.iter();
    let attributes =
        attributes.map(|it| (it.attribute_name.value.clone(), format!("{:?}", it.attribute_type)));
    let indexes = table.global_secondary_indexes.iter().map(|it| {
        let projection = &it.projection;
        let copied =
            format!("{:?} {:?}", projection.projection_type, projection.non_key_attributes);
        (it.index_name.clone(), json!({"key": key(&it.key_schema), "copied": copied}))
    });
    let expiry = table.time_to_live_specification.as_ref().filter(|it| it.enabled);
    json!({
        "attributes": attributes.collect::<BTreeMap<_, _>>(),
        "key": key(&table.key_schema),
        "indexes": indexes.collect::<BTreeMap<_, _>>(),
        "expires by": expiry.map(|it| &it.attribute_name),
        "can be restored": (table.point_in_time_recovery_specification)
            .is_some_and(|it| it.point_in_time_recovery_enabled),
    })
}

/// The items of a list, a single value, or nothing.
fn list(value: &Json) -> Vec<Json> {
    match value {
        Json::Array(items) => items.clone(),
        Json::Null => Vec::new(),
        other => vec![other.clone()],
    }
}
