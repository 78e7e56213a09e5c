//! An in-process AWS account for the publisher's tests.

use std::{collections::HashMap, path::Path, time::Duration};

use account::{
    embedded::EmbeddedAccount,
    endpoint::{Endpoint, Settings},
    provision::{Account, Service},
};
use archive::Archive;
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use flow::{Flow, QueueNames};
use jiff::Timestamp;
use orders::{
    event::{ORDERS_TOPIC, PING_TOPIC},
    keep::Keep,
    order::OrderId,
    payment::WEBHOOKS_TOPIC,
};
use outbox::{Outbox, shards};
use pubsub::topic::Topic;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use web::gate::Gate;
use webhooks::Webhooks;

use crate::{
    announcements::{Announcements, OrdersOutbox},
    live::Live,
    orders_table::{OrdersTable, PlacedOrder},
    projection::Projection,
    routes::{App, MAX_ORDERS, MAX_REQUESTS},
};

/// Longer than a call takes on a busy machine: these tests are not about timeouts.
const PATIENCE: Duration = Duration::from_secs(60);

type Item = HashMap<String, AttributeValue>;

/// A new account with the resources of the files under `copilot`.
pub struct TestAccount {
    /// The configuration for clients that may do what the publisher may.
    pub aws: SdkConfig,
    administrator: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    account: Account,
    _endpoint: Endpoint,
}

impl TestAccount {
    pub async fn start() -> Self {
        Self::with(&Settings::loopback(0)).await
    }

    /// An account like AWS, with partitions that take only this many writes a second.
    pub async fn with_partitions_of(writes: u32) -> Self {
        let like_aws = Settings::loopback(0).like_aws(7);
        Self::with(&Settings { partition_writes: writes, ..like_aws }).await
    }

    async fn with(settings: &Settings) -> Self {
        let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../copilot");
        let EmbeddedAccount { endpoint, target, account } =
            EmbeddedAccount::of_files_with(&copilot, settings).await.unwrap();
        let patient = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        let patient = |aws: SdkConfig| aws.into_builder().timeout_config(patient.clone()).build();
        let publisher = account.service("publisher").unwrap();
        let aws = patient(target.config_of(publisher).await);
        let administrator = patient(target.config().await);
        let dynamodb = aws_sdk_dynamodb::Client::new(&administrator);
        Self { aws, administrator, dynamodb, account, _endpoint: endpoint }
    }

    /// The table of orders, accessed with the configuration `aws`.
    pub fn orders(&self, aws: &SdkConfig) -> OrdersTable {
        self.orders_done_when(aws, &["fulfilment"])
    }

    /// The table of orders that are done when these services are.
    pub fn orders_done_when(&self, aws: &SdkConfig, services: &[&str]) -> OrdersTable {
        self.orders_of(aws, shards::DEFAULT, services)
    }

    /// The table of orders, as a publisher with this many shards uses it.
    pub fn orders_in(&self, shards: u32) -> OrdersTable {
        self.orders_of(&self.aws, shards, &["fulfilment"])
    }

    /// The same, of a publisher with this configuration.
    pub fn orders_of(&self, aws: &SdkConfig, shards: u32, services: &[&str]) -> OrdersTable {
        let services = services.iter().map(|name| (*name).to_owned()).collect();
        OrdersTable::new(aws, self.table().to_owned(), shards, services, Keep::days(90))
    }

    /// The state of the HTTP handlers, and the channel of orders to announce.
    pub fn app(&self, aws: &SdkConfig) -> (App, mpsc::Receiver<PlacedOrder>) {
        let (fresh, waiting) = mpsc::channel(10);
        let orders = self.orders(aws);
        let flow = Flow::new(aws, self.topic_arn(ORDERS_TOPIC), self.queue_names(), None);
        let status = self.publisher_variable("STATUS_QUEUE_URL");
        let flow = flow.with_payments(self.topic_arn(WEBHOOKS_TOPIC), &status);
        let live = Live::new(orders.clone(), flow, CancellationToken::new());
        let app = App {
            outbox: self.outbox_of(&orders, &live),
            live,
            orders,
            fresh,
            ping: Topic::new(aws, self.topic_arn(PING_TOPIC)),
            placing: Gate::new("orders", MAX_ORDERS),
            asking: Gate::new("requests", MAX_REQUESTS),
            events: Some(Archive::new(aws, self.publisher_variable("EVENTS_TABLE_NAME"))),
            offer: "".into(),
            traces: Some("http://traces.example/{trace}".into()),
        };
        (app, waiting)
    }

    /// Webhooks of payments, which nobody can sign.
    pub fn webhooks(&self, aws: &SdkConfig) -> Webhooks {
        let sources = format!(r#"{{"payments": ["whsec_{}"]}}"#, "A".repeat(32));
        let settings = webhooks::Settings {
            webhooks_table_name: self
                .publisher()
                .variable("WEBHOOKS_TABLE_NAME")
                .unwrap()
                .to_owned(),
            webhook_secrets: sources.parse().unwrap(),
            keep_webhooks_days: 30,
        };
        Webhooks::new(aws, settings, Topic::new(aws, self.topic_arn(WEBHOOKS_TOPIC))).unwrap()
    }

    /// What reports are projected onto.
    pub fn projection(&self, app: &App) -> Projection {
        let App { orders, live, outbox, .. } = app.clone();
        Projection { orders, live, outbox }
    }

    /// What announces the orders.
    pub fn outbox(&self, app: &App) -> OrdersOutbox {
        self.outbox_of(&app.orders, &app.live)
    }

    fn outbox_of(&self, orders: &OrdersTable, live: &Live) -> OrdersOutbox {
        let (table, shards) = (self.table().to_owned(), orders.shards().clone());
        let topic = Topic::new(&self.aws, self.topic_arn(ORDERS_TOPIC));
        let settings = outbox::Settings { table, shards, awaits_reports: true };
        let announcements = Announcements { orders: orders.clone(), topic, live: live.clone() };
        Outbox::new(&self.aws, settings, announcements)
    }

    /// All items of the table of orders.
    pub async fn items(&self) -> Vec<Item> {
        let scan = self.dynamodb.scan().table_name(self.table());
        let pages = scan.consistent_read(true).into_paginator().items().send();
        pages.collect::<Result<_, _>>().await.unwrap()
    }

    /// The item of the order `id`.
    pub async fn item(&self, id: OrderId) -> Option<Item> {
        let get = self.dynamodb.get_item().table_name(self.table());
        let get = get.key("id", AttributeValue::S(id.to_string()));
        get.consistent_read(true).send().await.unwrap().item
    }

    /// Overwrites the time when the order `id` was placed.
    pub async fn place_at(&self, id: OrderId, time: Timestamp) {
        let millis = time.as_millisecond().to_string();
        self.set(id, "placed_at", AttributeValue::N(millis)).await;
    }

    /// Overwrites the time when the order `id` was announced.
    pub async fn announce_at(&self, id: OrderId, time: Timestamp) {
        let millis = time.as_millisecond().to_string();
        self.set(id, "announced_at", AttributeValue::N(millis)).await;
    }

    /// Ends the lease of the order `id`: the process that stored it did not announce it in time.
    pub async fn make_overdue(&self, id: OrderId) {
        self.set(id, "outbox_due", AttributeValue::N("0".to_owned())).await;
    }

    async fn set(&self, id: OrderId, name: &str, value: AttributeValue) {
        let update = self.dynamodb.update_item().table_name(self.table());
        let update = update
            .key("id", AttributeValue::S(id.to_string()))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value);
        update.send().await.unwrap();
    }

    /// Receives all messages in the queue of a subscriber, and returns their bodies.
    pub async fn received(&self) -> Vec<String> {
        let sqs = aws_sdk_sqs::Client::new(&self.administrator);
        let queue = self.account.service("fulfilment").unwrap().queue.as_ref();
        let mut bodies = Vec::new();
        loop {
            let receive = sqs.receive_message().queue_url(&queue.unwrap().url);
            let received = receive.max_number_of_messages(10).send().await.unwrap();
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            bodies.extend(messages.into_iter().filter_map(|message| message.body));
        }
    }

    fn queue_names(&self) -> QueueNames {
        self.publisher().variable("QUEUE_NAMES").unwrap().parse().unwrap()
    }

    fn publisher_variable(&self, name: &str) -> String {
        self.publisher().variable(name).unwrap().to_owned()
    }

    fn table(&self) -> &str {
        self.publisher().variable("ORDERS_TABLE_NAME").unwrap()
    }

    fn topic_arn(&self, name: &str) -> String {
        self.publisher().topic_arn(name).unwrap().to_owned()
    }

    fn publisher(&self) -> &Service {
        self.account.service("publisher").unwrap()
    }
}
