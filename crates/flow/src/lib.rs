//! The architecture as a live picture in which orders move. The subscriptions of the topic and the
//! depths of their queues are read from SNS and SQS.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use tokio::time::timeout;

mod fresh;

mod picture;

mod topology;

use fresh::Fresh;
pub use picture::{Moving, Picture};
pub use topology::QueueNames;
use topology::Topology;

/// How long a viewer waits for AWS. Without the subscriptions, the picture shows the orders alone.
const PATIENCE: Duration = Duration::from_secs(3);

/// The picture of a topic. A clone is cheap, and shares the picture.
#[derive(Clone)]
pub struct Flow {
    topology: Topology,
    latest: Fresh<Picture>,
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
        Self { topology, latest: Fresh::default() }
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
        let topology = self.topology.clone();
        let draw = || async move {
            let lanes = timeout(PATIENCE, topology.lanes());
            let (moving, lanes) = tokio::join!(timeout(PATIENCE, moving()), lanes);
            let moving = moving.context("reading the orders takes too long")??;
            let lanes = lanes.context("reading the subscriptions takes too long").flatten();
            Ok(Picture::draw(&moving, lanes))
        };
        self.latest.get(draw).await
    }
}
