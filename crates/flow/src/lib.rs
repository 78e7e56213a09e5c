//! How orders flow, for a room to see: the architecture as a picture, in which the last minute's orders
//! move. What hangs on the topic, and how much waits there, is as AWS says it.

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
use topology::Topology;

/// However many look, AWS is asked once in this time.
const FRESH: Duration = Duration::from_millis(900);

/// The picture of a topic. A clone is cheap, and shows the same.
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
    /// The picture of the topic with this ARN.
    pub fn new(aws: &SdkConfig, topic_arn: String) -> Self {
        Self { topology: Topology::new(aws, topic_arn), latest: Arc::default() }
    }

    /// The picture of this moment, with the orders that `moving` finds, the oldest first.
    ///
    /// # Errors
    ///
    /// If the orders cannot be read. Without the right to read the subscriptions or the queues it
    /// shows the orders alone.
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
