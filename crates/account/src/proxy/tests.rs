//! Each fault, as seen by a client and by the endpoint.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::Router;
use reqwest::{Client, Response};
use tokio::net::TcpListener;

mod outages;

mod weather;

use super::{Conditions, Fault, Plan, Proxy};

const SEND: &str = "SQS.SendMessage";
const BODY: &str = "eight pieces of an answer";

/// A proxy in front of an endpoint that counts the calls that take effect.
struct Fixture {
    proxy: Proxy,
    effects: Arc<AtomicU64>,
}

impl Fixture {
    async fn start(conditions: Conditions) -> Self {
        let effects = Arc::new(AtomicU64::new(0));
        let counted = effects.clone();
        let endpoint = Router::new().fallback(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            BODY
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, endpoint).await });
        let proxy = Proxy::start(&url, conditions).await.unwrap();
        Self { proxy, effects }
    }

    /// A proxy whose first `SQS.SendMessage` meets a fault that `wanted` accepts.
    async fn with_fault(wanted: impl Fn(Fault) -> bool) -> Self {
        let plans = (0..).map(|seed| Plan { seed, percent: 100 });
        let mut fitting =
            plans.filter(|plan| plan.faults(SEND).next().unwrap().is_some_and(&wanted));
        let faults = fitting.next();
        Self::start(Conditions { faults, ..Conditions::default() }).await
    }

    async fn send(&self) -> reqwest::Result<Response> {
        let request = Client::new().post(&self.proxy.url);
        request.header("X-Amz-Target", "AmazonSQS.SendMessage").send().await
    }

    fn effects(&self) -> u64 {
        self.effects.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn without_faults_a_call_passes_and_is_counted() {
    let fixture = Fixture::start(Conditions::default()).await;
    assert_eq!(fixture.send().await.unwrap().text().await.unwrap(), BODY);
    let form = [("Action", "Publish"), ("Version", "2010-03-31")];
    let publish = Client::new().post(&fixture.proxy.url).form(&form).send().await;
    assert_eq!(publish.unwrap().status(), 200);
    let counts = fixture.proxy.counts();
    let calls = [("SNS.Publish", 1), (SEND, 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counts.calls, calls.into());
    assert!(counts.faults.is_empty(), "{counts:?}");
    assert_eq!(fixture.effects(), 2);
}

#[tokio::test]
async fn errors_have_the_shape_of_the_service_and_nothing_takes_effect() {
    let fixture = Fixture::with_fault(|fault| fault == Fault::ServerError).await;
    let answer = fixture.send().await.unwrap();
    assert_eq!(answer.status(), 500);
    assert!(answer.text().await.unwrap().contains("com.amazonaws.sqs#InternalFailure"));
    assert_eq!(fixture.effects(), 0);

    let fixture = Fixture::with_fault(|fault| fault == Fault::Throttle).await;
    let answer = fixture.send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("#ThrottlingException"));
    assert_eq!(fixture.effects(), 0);
    assert_eq!(fixture.proxy.counts().faults, [("throttle", 1)].into());
}

#[tokio::test]
async fn a_reset_comes_before_the_effect_and_a_lost_answer_after_it() {
    let fixture = Fixture::with_fault(|fault| fault == Fault::Reset).await;
    let error = format!("{:?}", fixture.send().await.unwrap_err());
    assert!(error.contains("ConnectionReset"), "{error}");
    assert_eq!(fixture.effects(), 0);

    let fixture = Fixture::with_fault(|fault| fault == Fault::AnswerLost).await;
    let error = format!("{:?}", fixture.send().await.unwrap_err());
    assert!(error.contains("ConnectionReset"), "{error}");
    assert_eq!(fixture.effects(), 1);
}

#[tokio::test]
async fn a_stalled_call_takes_effect_after_its_caller_gave_up() {
    let short = Duration::from_millis(1_200);
    let fixture =
        Fixture::with_fault(|fault| matches!(fault, Fault::Stall(time) if time < short)).await;
    let impatient = tokio::time::timeout(Duration::from_millis(100), fixture.send()).await;
    assert!(impatient.is_err());
    assert_eq!(fixture.effects(), 0);
    let deadline = Instant::now() + Duration::from_secs(30);
    while fixture.effects() == 0 {
        assert!(Instant::now() < deadline, "the call never took effect");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_slow_link_brings_the_whole_answer_late() {
    let (least, most) = (Duration::from_millis(300), Duration::from_millis(600));
    let slow = |fault| matches!(fault, Fault::SlowLink(time) if (least..most).contains(&time));
    let fixture = Fixture::with_fault(slow).await;
    let started = Instant::now();
    let answer = fixture.send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), BODY);
    assert!(started.elapsed() >= least, "{:?}", started.elapsed());
}

#[tokio::test]
async fn once_all_is_calm_every_call_passes_and_is_still_counted() {
    let fixture = Fixture::with_fault(|fault| fault == Fault::ServerError).await;
    fixture.proxy.calm();
    for _ in 0..20 {
        assert_eq!(fixture.send().await.unwrap().status(), 200);
    }
    assert_eq!(fixture.proxy.counts().calls[SEND], 20);
    assert!(fixture.proxy.counts().faults.is_empty());
}

#[tokio::test]
async fn a_delay_holds_every_call() {
    let delay = Duration::from_millis(50);
    let fixture = Fixture::start(Conditions { delay, ..Conditions::default() }).await;
    let started = Instant::now();
    fixture.send().await.unwrap();
    assert!(started.elapsed() >= delay);
}

#[test]
fn the_same_seed_gives_the_same_faults_to_each_operation() {
    let draw = |seed, operation| -> Vec<_> {
        Plan { seed, percent: 10 }.faults(operation).take(10_000).collect()
    };
    assert_eq!(draw(1, SEND), draw(1, SEND));
    assert_ne!(draw(1, SEND), draw(2, SEND));
    assert_ne!(draw(1, SEND), draw(1, "SNS.Publish"));
    let faults = draw(1, SEND).into_iter().flatten().count();
    assert!((900..1_100).contains(&faults), "{faults} of 10,000 are not 10 %");

    let digest = |seed, percent| Plan { seed, percent }.digest();
    // Written down, so that a change of the drawing cannot go unnoticed.
    assert_eq!(digest(1, 10), "17704723f389");
    assert_ne!(digest(1, 10), digest(2, 10));
    assert_ne!(digest(1, 10), digest(1, 11));
}
