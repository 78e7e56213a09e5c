//! What a call asks for: the actions that have to be allowed, and on which resources.
//!
//! The service authorization reference has a table of actions for each service, such as
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>.
//! An action of SQS or SNS covers its batch too. SNS judges the calls about a subscription by the
//! ARN of the topic, although its table says otherwise.

use std::{borrow::Cow, collections::BTreeMap};

use rustack_sns_http::request::{get_optional_param, parse_form_params};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::proxy::{Call, Service};

/// An action on a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asked {
    /// The action, such as `sqs:ReceiveMessage`.
    pub action: String,
    /// The ARN of the resource.
    pub resource: String,
}

/// What a request to `DynamoDB` is about.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tables {
    table_name: Option<String>,
    index_name: Option<String>,
    request_items: BTreeMap<String, IgnoredAny>,
    transact_items: Vec<BTreeMap<String, Table>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    table_name: String,
}

/// What a request to SQS is about.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Queue {
    queue_url: Option<String>,
    queue_name: Option<String>,
    source_arn: Option<String>,
}

/// What a request to S3 is about.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Object {
    bucket: Option<String>,
    key: Option<String>,
}

/// What `call` asks for. `place` is the region and the account, with a colon in between.
pub fn asked(call: &Call, body: &[u8], place: &str) -> Vec<Asked> {
    match call.service {
        Service::DynamoDb => of_tables(&call.operation, &read(body), place),
        Service::Sqs => {
            let resource = queue(read(body), place);
            vec![Asked { action: format!("sqs:{}", without_batch(&call.operation)), resource }]
        }
        Service::Sns => {
            let resource = topic(&parse_form_params(body), place);
            vec![Asked { action: format!("sns:{}", without_batch(&call.operation)), resource }]
        }
        Service::S3 => vec![of_object(&call.operation, &read(body))],
        // It has no resources.
        Service::Textract => {
            let action = format!("textract:{}", call.operation);
            vec![Asked { action, resource: format!("arn:aws:textract:{place}:*") }]
        }
        Service::Other => Vec::new(),
    }
}

/// A body that cannot be read names no resource here; the endpoint rejects it later.
fn read<T: DeserializeOwned + Default>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap_or_default()
}

fn of_tables(operation: &str, tables: &Tables, place: &str) -> Vec<Asked> {
    let on = |operation: &str, table: &str| Asked {
        action: format!("dynamodb:{operation}"),
        resource: table_arn(table, place),
    };
    if !tables.request_items.is_empty() {
        return tables.request_items.keys().map(|table| on(operation, table)).collect();
    }
    let parts = tables.transact_items.iter().flatten();
    let parts: Vec<_> = parts.map(|(kind, it)| on(&item_action(kind), &it.table_name)).collect();
    if !parts.is_empty() {
        return parts;
    }
    let mut asked = on(operation, tables.table_name.as_deref().unwrap_or("*"));
    if let Some(index) = &tables.index_name {
        asked.resource += &format!("/index/{index}");
    }
    vec![asked]
}

/// The action for a part of a transaction, such as `Put`.
fn item_action(kind: &str) -> Cow<'static, str> {
    match kind {
        "ConditionCheck" => "ConditionCheckItem".into(),
        _ => format!("{kind}Item").into(),
    }
}

/// A request may name a table by its name or by its ARN.
fn table_arn(table: &str, place: &str) -> String {
    if table.starts_with("arn:") {
        return table.to_owned();
    }
    format!("arn:aws:dynamodb:{place}:table/{table}")
}

/// S3 has fewer actions than operations:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>.
fn of_object(operation: &str, Object { bucket, key }: &Object) -> Asked {
    let bucket = bucket.as_deref().unwrap_or("*");
    let action = match operation {
        "HeadObject" => "GetObject",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListBuckets" => "ListAllMyBuckets",
        other => other,
    };
    let resource = match key {
        Some(key) => object_arn(bucket, key),
        None => bucket_arn(bucket),
    };
    Asked { action: format!("s3:{action}"), resource }
}

/// The ARN of a bucket.
pub fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

fn queue(Queue { queue_url, queue_name, source_arn }: Queue, place: &str) -> String {
    let of_url = queue_url.and_then(|url| url.rsplit('/').next().map(str::to_owned));
    let name = of_url.or(queue_name).unwrap_or_else(|| "*".to_owned());
    source_arn.unwrap_or_else(|| format!("arn:aws:sqs:{place}:{name}"))
}

/// The topic's ARN is that of its subscription without the last part.
fn topic(form: &[(String, String)], place: &str) -> String {
    let field = |name| get_optional_param(form, name).map(str::to_owned);
    let subscription = field("SubscriptionArn");
    let of_subscription = subscription.and_then(|it| Some(it.rsplit_once(':')?.0.to_owned()));
    let topic = field("TopicArn").or_else(|| field("TargetArn")).or(of_subscription);
    topic.unwrap_or_else(|| {
        let name = field("Name").unwrap_or_else(|| "*".to_owned());
        format!("arn:aws:sns:{place}:{name}")
    })
}

fn without_batch(operation: &str) -> &str {
    operation.strip_suffix("Batch").unwrap_or(operation)
}
