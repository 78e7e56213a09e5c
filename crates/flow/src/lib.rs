//! The architecture as a live picture in which orders move. The subscriptions of the topic and the
//! depths of their queues are read from SNS and SQS.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use tokio::sync::Mutex;

mod picture;

mod topology;

pub use picture::{Moving, Picture};
pub use topology::QueueNames;
use topology::Topology;

/// How long a picture is shown to all viewers before AWS is asked again.
const FRESH: Duration = Duration::from_millis(900);

/// The picture of a topic. A clone is cheap, and shares the picture.
#[derive(Clone)]
pub struct Flow {
    topology: Topology,
    latest: Arc<Mutex<Option<Drawn>>>,
}

struct Drawn {
    at: Instant,
    picture: Arc<Picture>,
}

impl Flow {
    /// The picture of the topic with this ARN; `names` says which service a queue belongs to.
    pub fn new(aws: &SdkConfig, topic_arn: String, names: QueueNames) -> Self {
        Self { topology: Topology::new(aws, topic_arn, names), latest: Arc::default() }
    }

    /// The picture of this moment, with the orders that `moving` finds, oldest first.
    ///
    /// # Errors
    ///
    /// If the orders cannot be read. Without permission to read subscriptions or queues, the
    /// picture shows the orders alone.
    pub async fn picture<F>(&self, moving: impl FnOnce() -> F) -> anyhow::Result<Arc<Picture>>
    where
        F: Future<Output = anyhow::Result<Vec<Moving>>>,
    {
        let mut latest = self.latest.lock().await;
        if let Some(drawn) = &*latest
            && drawn.at.elapsed() < FRESH
        {
            return Ok(Arc::clone(&drawn.picture));
        }
        let (moving, lanes) = tokio::join!(moving(), self.topology.lanes());
        let picture = Arc::new(Picture::draw(&moving?, lanes));
        *latest = Some(Drawn { at: Instant::now(), picture: Arc::clone(&picture) });
        Ok(picture)
    }
}
