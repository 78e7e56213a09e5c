//! Collected log lines, so that a test can wait for one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    sync::{
        mpsc::{UnboundedSender, unbounded_channel},
        watch,
    },
    time::timeout,
};

use crate::process::Line;

/// Every line so far.
#[derive(Clone, Debug)]
pub struct Log {
    lines: Arc<Mutex<Vec<Line>>>,
    count: watch::Receiver<usize>,
}

impl Log {
    /// An empty log, and the channel into it.
    pub fn new() -> (Self, UnboundedSender<Line>) {
        let (sender, mut receiver) = unbounded_channel();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        let log = Self { lines, count };
        let kept = log.clone();
        tokio::spawn(async move {
            while let Some(line) = receiver.recv().await {
                let mut lines = kept.lock();
                lines.push(line);
                counter.send_replace(lines.len());
            }
        });
        (log, sender)
    }

    /// The lines of `service` so far.
    pub fn of(&self, service: &str) -> Vec<String> {
        (self.lock().iter())
            .filter(|line| line.service == service)
            .map(|line| line.text.clone())
            .collect()
    }

    /// Waits for a line of `service`, past or future, that is `wanted`.
    ///
    /// # Errors
    ///
    /// If there was none within `deadline`; the error has all its lines.
    pub async fn wait_for(
        &self,
        service: &str,
        deadline: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let mut count = self.count.clone();
        let search = async {
            loop {
                count.borrow_and_update();
                if let Some(line) = self.of(service).into_iter().find(|line| wanted(line)) {
                    return anyhow::Ok(line);
                }
                count.changed().await.context("all services have exited")?;
            }
        };
        let found = timeout(deadline, search).await;
        let logged = || format!("{service} did not log that, but {:#?}", self.of(service));
        found.with_context(logged)?
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
