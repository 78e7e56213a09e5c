//! Nothing is lost when a process crashes before or after any of its calls.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
        http_client_fn,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Announcements, TestAccount, run, settled};

/// When a process crashes. Calls are counted from 1.
#[derive(Clone, Copy, Debug)]
pub enum Crash {
    /// The call is not sent.
    Before(usize),
    /// The call takes effect, but its response is lost.
    After(usize),
    /// Not at all: the call takes effect, its response is lost, and the process goes on.
    NotAfter(usize),
    /// Never.
    Never,
}

/// The HTTP client of a process that crashes: after that, it sends no call and returns no response.
#[derive(Clone, Debug)]
pub struct CrashingHttpClient {
    http: SharedHttpClient,
    crash: Crash,
    calls: Arc<AtomicUsize>,
    crashed: CancellationToken,
}

impl CrashingHttpClient {
    pub fn new(aws: &SdkConfig, crash: Crash) -> Self {
        Self {
            http: aws.http_client().unwrap(),
            crash,
            calls: Arc::default(),
            crashed: CancellationToken::new(),
        }
    }

    /// The configuration `aws`, with this client.
    pub fn config(&self, aws: &SdkConfig) -> SdkConfig {
        let client = self.clone();
        let http = http_client_fn(move |settings, components| {
            let http = client.http.http_connector(settings, components);
            SharedHttpConnector::new(CrashingConnector { client: client.clone(), http })
        });
        aws.to_builder().http_client(http).build()
    }

    /// How many calls were made.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Runs a process until it ends or crashes. Returns true if it crashed.
    async fn crashes(&self, process: impl Future<Output = ()>) -> bool {
        self.crashed.run_until_cancelled(process).await.is_none()
    }
}

#[derive(Debug)]
struct CrashingConnector {
    client: CrashingHttpClient,
    http: SharedHttpConnector,
}

impl HttpConnector for CrashingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, http) = (self.client.clone(), self.http.clone());
        HttpConnectorFuture::new(async move {
            let call = client.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if matches!(client.crash, Crash::Before(last) if call >= last) {
                client.crashed.cancel();
            }
            let answer = client.crashed.run_until_cancelled(http.call(request)).await;
            if matches!(client.crash, Crash::After(last) if call >= last) {
                client.crashed.cancel();
            }
            if matches!(client.crash, Crash::NotAfter(lost) if call == lost) {
                let reset = io::Error::from(io::ErrorKind::ConnectionReset);
                return Err(ConnectorError::io(reset.into()));
            }
            match answer {
                Some(answer) if !client.crashed.is_cancelled() => answer,
                _ => std::future::pending().await,
            }
        })
    }
}

/// The calls of a process that finds an overdue item: `Query`, the claim, and the note.
const CALLS: usize = 3;

#[tokio::test]
async fn a_stored_item_is_announced_after_a_crash_at_any_call() {
    let mut cases = JoinSet::new();
    for call in 1..=CALLS {
        cases.spawn(check(Crash::Before(call), true));
        cases.spawn(check(Crash::After(call), true));
    }
    cases.spawn(check(Crash::Before(CALLS + 1), false));
    cases.join_all().await;
}

/// A process crashes while it announces an overdue item; another one goes on.
async fn check(crash: Crash, expected: bool) {
    let (account, id) = (TestAccount::start().await, "one");
    account.store_overdue(id).await;
    let client = CrashingHttpClient::new(&account.aws, crash);
    let aws = client.config(&account.aws);
    let announcements = Announcements::default();
    let outbox = account.outbox_of(&aws, &announcements, true);
    let crashed = client.crashes(async {
        outbox.sweep_waiting(super::SHARD).await.unwrap();
        settled(&outbox).await;
    });
    assert_eq!(crashed.await, expected, "{crash:?}");

    account.make_due(id, 0).await;
    let again = Announcements::default();
    let restarted = run(account.outbox(&again));
    while account.attribute(id, "announced_at").await.is_none() {
        sleep(std::time::Duration::from_millis(50)).await;
    }
    restarted.abort();
    let announced = [announcements.announced(), again.announced()].concat();
    assert!(!announced.is_empty(), "{crash:?}: noted, and never announced");
}

#[tokio::test]
async fn a_new_item_is_announced_by_another_process_if_its_own_crashes() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    // Stored, and never given to an outbox.
    account.store("one").await;
    let other = run(account.outbox(&announcements));
    while announcements.announced().is_empty() {
        sleep(std::time::Duration::from_millis(50)).await;
    }
    other.abort();
    assert_eq!(announcements.announced(), ["one"]);
}
