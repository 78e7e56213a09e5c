//! The architecture as a live picture in which orders move. The subscriptions of the topic and the
//! depths of their queues are read from SNS and SQS.
//!
//! An open page asks each second, and costs a bounded number of requests to AWS: each part of the
//! picture is read for all viewers together and at a rate of its own, some three requests a second
//! in all. What this process changes itself is shown at once without reading. While nobody looks,
//! nothing is read.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    sync::Arc,
};

use anyhow::Context as _;
use aws_config::SdkConfig;
use orders::timeline::PAYMENT;
use tokio::time::{Instant, timeout, timeout_at};

mod fresh;

mod recent;

mod topology;

mod queues;

mod picture;

#[cfg(test)]
mod tests;

use fresh::{Found, Fresh, PATIENCE};
use picture::Lane;
pub use picture::Picture;
use queues::{Depth, Queues};
pub use recent::Moving;
use recent::Recent;
pub use topology::QueueNames;
use topology::{Subscriber, Topology};

/// How many requests a second reading the orders may take. With those of `topology` and `queues`,
/// this is less than three.
const ORDERS_RATE: f64 = 1.2;

/// The picture of a topic. A clone is cheap, and shares the picture.
#[derive(Clone)]
pub struct Flow {
    topology: Arc<Topology>,
    payments: Option<Arc<Payments>>,
    queues: Queues,
    recent: Recent,
    reading: Fresh<()>,
}

/// The topic of webhooks, and the name of the queue that takes payments from it.
struct Payments {
    topology: Topology,
    queue: String,
}

impl Flow {
    /// The picture of the topic with this ARN; `names` says which service a queue belongs to, and
    /// `events_table` is the table of the one that keeps events and reports nothing.
    pub fn new(
        aws: &SdkConfig,
        topic_arn: String,
        names: QueueNames,
        events_table: Option<String>,
    ) -> Self {
        Self {
            topology: Arc::new(Topology::new(aws, topic_arn, names, events_table)),
            payments: None,
            queues: Queues::new(aws),
            recent: Recent::default(),
            reading: Fresh::at(ORDERS_RATE),
        }
    }

    /// With the topic of webhooks too, and the queue of this URL that takes payments from it.
    pub fn with_payments(mut self, topic_arn: String, queue_url: &str) -> Self {
        let queue = queue_url.rsplit('/').next().unwrap_or_default().to_owned();
        let topology = self.topology.of(topic_arn);
        self.payments = Some(Arc::new(Payments { topology, queue }));
        self
    }

    /// An order that this process stored or changed. `moving` is called only if somebody looks.
    pub fn changed(&self, moving: impl FnOnce() -> Moving) {
        self.recent.changed(moving);
    }

    /// The picture of this moment, with the latest orders, which `read` finds with that many
    /// requests. All who ask share what is read, or one error.
    ///
    /// # Errors
    ///
    /// If the orders cannot be read within three seconds. Without subscriptions or queues, the
    /// picture shows the orders alone.
    pub async fn picture<F>(
        &self,
        read: impl FnOnce() -> F + Send + 'static,
        requests: usize,
    ) -> anyhow::Result<Picture>
    where
        F: Future<Output = anyhow::Result<Vec<Moving>>> + Send,
    {
        self.recent.look();
        let recent = self.recent.clone();
        let find = || async move {
            let read = timeout(PATIENCE, read()).await;
            recent.offer(read.context("reading the orders takes too long")??);
            Ok(Found { value: (), requests })
        };
        let (read, (lanes, outside)) = tokio::join!(self.reading.get(find), self.lanes());
        read?;
        Ok(Picture::draw(&self.recent.shown(), lanes, outside))
    }

    /// The lanes of orders, and those of webhooks.
    async fn lanes(&self) -> (anyhow::Result<Vec<Lane>>, Vec<Lane>) {
        let until = Instant::now() + PATIENCE;
        let subscribers = timeout_at(until, self.topology.subscribers());
        let outside = timeout_at(until, Payments::subscribers(self.payments.as_deref()));
        let (subscribers, outside) = tokio::join!(subscribers, outside);
        let subscribers = subscribers.context("reading the subscriptions takes too long").flatten();
        let outside = outside.unwrap_or_default();
        let all = subscribers.iter().flatten().chain(&outside);
        let names: BTreeSet<_> = all.map(|subscriber| subscriber.queue.clone()).collect();
        let depths = timeout_at(until, self.queues.depths(names)).await.unwrap_or_default();
        let lanes = |subscribers| lanes(subscribers, &depths);
        (subscribers.map(lanes), lanes(outside))
    }
}

fn lanes(subscribers: Vec<Subscriber>, depths: &HashMap<String, Depth>) -> Vec<Lane> {
    let lane =
        |subscriber: Subscriber| Lane { depth: depths.get(&subscriber.queue).copied(), subscriber };
    subscribers.into_iter().map(lane).collect()
}

impl Payments {
    /// The subscribers of webhooks; none if they cannot be read.
    async fn subscribers(payments: Option<&Self>) -> Vec<Subscriber> {
        let Some(Self { topology, queue }) = payments else { return Vec::new() };
        let mut subscribers = topology.subscribers().await.unwrap_or_else(|error| {
            tracing::debug!(error = format!("{error:#}"), "cannot read who gets webhooks");
            Vec::new()
        });
        for subscriber in subscribers.iter_mut().filter(|it| it.filter == topology::EVERY) {
            "every webhook".clone_into(&mut subscriber.filter);
        }
        // Its dots are the payments of the orders.
        subscribers.iter_mut().filter(|it| it.service == *queue).for_each(|subscriber| {
            PAYMENT.clone_into(&mut subscriber.service);
        });
        subscribers
    }
}
