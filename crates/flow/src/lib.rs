//! The architecture as a live picture in which orders move. The subscriptions of the topic and the
//! depths of their queues are read from SNS and SQS.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use orders::timeline::PAYMENT;
use tokio::time::timeout;

mod fresh;

mod picture;

mod topology;

use fresh::Fresh;
pub use picture::{Moving, Picture};
pub use topology::QueueNames;
use topology::{Lane, Topology};

/// How long a viewer waits for AWS. Without the subscriptions, the picture shows the orders alone.
const PATIENCE: Duration = Duration::from_secs(3);

/// The picture of a topic. A clone is cheap, and shares the picture.
#[derive(Clone)]
pub struct Flow {
    topology: Topology,
    payments: Option<Payments>,
    latest: Fresh<Picture>,
}

/// The topic of webhooks, and the name of the queue that takes payments from it.
#[derive(Clone)]
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
        let topology = Topology::new(aws, topic_arn, names, events_table);
        Self { topology, payments: None, latest: Fresh::default() }
    }

    /// With the topic of webhooks too, and the queue of this URL that takes payments from it.
    pub fn with_payments(mut self, topic_arn: String, queue_url: &str) -> Self {
        let queue = queue_url.rsplit('/').next().unwrap_or_default().to_owned();
        self.payments = Some(Payments { topology: self.topology.of(topic_arn), queue });
        self
    }

    /// The picture of this moment, with the orders that `moving` finds, oldest first. All who ask
    /// within a second share one picture, or one error.
    ///
    /// # Errors
    ///
    /// If the orders cannot be read within three seconds. Without subscriptions or queues, the
    /// picture shows the orders alone.
    pub async fn picture<F>(
        &self,
        moving: impl FnOnce() -> F + Send + 'static,
    ) -> anyhow::Result<Arc<Picture>>
    where
        F: Future<Output = anyhow::Result<Vec<Moving>>> + Send,
    {
        let (topology, payments) = (self.topology.clone(), self.payments.clone());
        let draw = || async move {
            let lanes = timeout(PATIENCE, topology.lanes());
            let outside = timeout(PATIENCE, Payments::lanes(payments.as_ref()));
            let (moving, lanes, outside) =
                tokio::join!(timeout(PATIENCE, moving()), lanes, outside);
            let moving = moving.context("reading the orders takes too long")??;
            let lanes = lanes.context("reading the subscriptions takes too long").flatten();
            Ok(Picture::draw(&moving, lanes, outside.unwrap_or_default()))
        };
        self.latest.get(draw).await
    }
}

impl Payments {
    /// The subscriptions of webhooks; none if they cannot be read.
    async fn lanes(payments: Option<&Self>) -> Vec<Lane> {
        let Some(Self { topology, queue }) = payments else { return Vec::new() };
        let mut lanes = topology.lanes().await.unwrap_or_else(|error| {
            tracing::debug!(error = format!("{error:#}"), "cannot read who gets webhooks");
            Vec::new()
        });
        for lane in lanes.iter_mut().filter(|lane| lane.filter == topology::EVERY) {
            "every webhook".clone_into(&mut lane.filter);
        }
        // Its dots are the payments of the orders.
        lanes.iter_mut().filter(|lane| lane.service == *queue).for_each(|lane| {
            PAYMENT.clone_into(&mut lane.service);
        });
        lanes
    }
}
