//! One request to AWS. Repeated, it changes an existing resource to what the files say now, also
//! where they say nothing any more.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use deployment::cloudformation::{
    resolve::{made::Made, request::Request},
    template::table::{self as template, Index, Key, Table},
};

mod bucket;
mod queue;
mod subscription;

/// Clients for the AWS services that a local account needs.
#[derive(Clone, Debug)]
pub struct Clients {
    dynamodb: aws_sdk_dynamodb::Client,
    s3: bucket::S3,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
}

type Answer = Pin<Box<dyn Future<Output = anyhow::Result<Made>> + Send>>;

impl Clients {
    /// Clients with the same configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            s3: bucket::S3(config.clone()),
            sns: aws_sdk_sns::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
        }
    }

    /// The answer to `request`, which is sent once the answer is awaited.
    ///
    /// # Errors
    ///
    /// If the request is incomplete.
    pub fn send(&self, request: &Request<'_>) -> anyhow::Result<Answer> {
        Ok(match request.clone() {
            Request::Table(name, table) => {
                let creation = creation(&self.dynamodb, &name, table)?;
                let time_to_live = time_to_live(table)?;
                Box::pin(make_table(self.dynamodb.clone(), name, creation, time_to_live))
            }
            Request::Bucket(name) => Box::pin(self.s3.clone().make(name)),
            Request::BucketPolicy(bucket, policy) => {
                Box::pin(self.s3.clone().set_policy(bucket, policy))
            }
            Request::Queue(name, attributes) => {
                Box::pin(queue::make(self.sqs.clone(), name, attributes))
            }
            Request::QueuePolicy(urls, policy) => {
                Box::pin(set_policy(self.sqs.clone(), urls, policy))
            }
            Request::Topic(name, attributes) => {
                Box::pin(make_topic(self.sns.clone(), name, attributes))
            }
            // SNS here takes no redrive policy: what cannot be delivered is an error of its own.
            Request::Subscription { topic, queue, filter, .. } => {
                Box::pin(subscription::make(self.sns.clone(), topic, queue, filter))
            }
            Request::Role(name, arn) => Box::pin(async move { Ok(Made::role(&name, arn)) }),
            // The judge gets all of them at the end.
            Request::Policy(_) | Request::Nothing => Box::pin(async { Ok(Made::nothing()) }),
        })
    }
}

type CreateTable = aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;

fn creation(
    client: &aws_sdk_dynamodb::Client,
    name: &str,
    table: &Table,
) -> anyhow::Result<CreateTable> {
    let mut creation = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys(&table.key_schema)?));
    for attribute in &table.attribute_definitions {
        let kind = match attribute.attribute_type {
            template::AttributeType::S => ScalarAttributeType::S,
            template::AttributeType::N => ScalarAttributeType::N,
            template::AttributeType::B => ScalarAttributeType::B,
        };
        let definition = AttributeDefinition::builder()
            .attribute_name(&attribute.attribute_name.value)
            .attribute_type(kind)
            .build()?;
        creation = creation.attribute_definitions(definition);
    }
    for definition in &table.global_secondary_indexes {
        creation = creation.global_secondary_indexes(index(definition)?);
    }
    Ok(creation)
}

fn keys(schema: &[Key]) -> anyhow::Result<Vec<KeySchemaElement>> {
    let element = |key: &Key| {
        let kind = match key.key_type {
            template::KeyType::Hash => KeyType::Hash,
            template::KeyType::Range => KeyType::Range,
        };
        Ok(KeySchemaElement::builder()
            .attribute_name(&key.attribute_name.value)
            .key_type(kind)
            .build()?)
    };
    schema.iter().map(element).collect()
}

fn index(index: &Index) -> anyhow::Result<GlobalSecondaryIndex> {
    let kind = match index.projection.projection_type {
        template::ProjectionType::All => ProjectionType::All,
        template::ProjectionType::KeysOnly => ProjectionType::KeysOnly,
        template::ProjectionType::Include => ProjectionType::Include,
    };
    let attributes = &index.projection.non_key_attributes;
    let projection = Projection::builder()
        .projection_type(kind)
        .set_non_key_attributes((!attributes.is_empty()).then(|| attributes.clone()))
        .build();
    Ok(GlobalSecondaryIndex::builder()
        .index_name(&index.index_name)
        .set_key_schema(Some(keys(&index.key_schema)?))
        .projection(projection)
        .build()?)
}

fn time_to_live(table: &Table) -> anyhow::Result<Option<TimeToLiveSpecification>> {
    let specification = |it: &template::TimeToLive| {
        Ok(TimeToLiveSpecification::builder()
            .attribute_name(&it.attribute_name)
            .enabled(it.enabled)
            .build()?)
    };
    (table.time_to_live_specification.as_ref()).map(specification).transpose()
}

/// A table that exists is not changed: DynamoDB cannot change a key.
async fn make_table(
    client: aws_sdk_dynamodb::Client,
    name: String,
    creation: CreateTable,
    time_to_live: Option<TimeToLiveSpecification>,
) -> anyhow::Result<Made> {
    let answer = creation.send().await;
    let existed = match &answer {
        Ok(_) => false,
        Err(error) => {
            error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception())
        }
    };
    let table = if existed {
        let described = client.describe_table().table_name(&name).send().await;
        described.map(|described| described.table).map_err(anyhow::Error::from)
    } else {
        (answer.map(|created| created.table_description)).map_err(anyhow::Error::from)
    };
    let table = table.with_context(|| format!("creating the table {name}"))?;
    let arn = (table.and_then(|table| table.table_arn)).context("the table has no ARN")?;
    if let Some(specification) = time_to_live.filter(|_| !existed) {
        client
            .update_time_to_live()
            .table_name(&name)
            .time_to_live_specification(specification)
            .send()
            .await
            .with_context(|| format!("setting the time to live of the table {name}"))?;
    }
    Ok(Made::table(&name, arn))
}

async fn set_policy(
    client: aws_sdk_sqs::Client,
    urls: Vec<String>,
    policy: String,
) -> anyhow::Result<Made> {
    for url in urls {
        client
            .set_queue_attributes()
            .queue_url(&url)
            .attributes(QueueAttributeName::Policy, &policy)
            .send()
            .await
            .with_context(|| format!("setting the policy of {url}"))?;
    }
    Ok(Made::nothing())
}

/// For a topic that exists, `CreateTopic` returns its ARN.
async fn make_topic(
    client: aws_sdk_sns::Client,
    name: String,
    attributes: BTreeMap<&'static str, String>,
) -> anyhow::Result<Made> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    let creation = client.create_topic().name(&name).set_attributes(Some(attributes.collect()));
    let answer = creation.send().await;
    let answer = answer.with_context(|| format!("creating the topic {name}"))?;
    let arn = answer.topic_arn.context("the topic has no ARN")?;
    Ok(Made::topic(&name, arn))
}
