//! What a handler depends on is unavailable: that costs time, and no tries.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// A dependency that a test switches off and on.
#[derive(Clone, Default)]
struct Dependency {
    is_away: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    succeeded: Arc<AtomicUsize>,
    /// By how many the calls at once exceeded those that had succeeded, at most.
    most_ahead: Arc<AtomicUsize>,
}

impl Dependency {
    fn away() -> Self {
        let dependency = Self::default();
        dependency.switch(true);
        dependency
    }

    fn switch(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    async fn call(&self) -> Result<(), Failure> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let running = 1 + self.running.fetch_add(1, Ordering::Relaxed);
        let ahead = running.saturating_sub(self.succeeded.load(Ordering::Relaxed));
        self.most_ahead.fetch_max(ahead, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(unavailable());
        }
        self.succeeded.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn handler(&self) -> impl Fn(Notification) -> BoxedCall + Send + Sync + 'static {
        let dependency = self.clone();
        move |_| {
            let dependency = dependency.clone();
            Box::pin(async move { dependency.call().await })
        }
    }
}

type BoxedCall = std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

fn unavailable() -> Failure {
    Failure::Unavailable(anyhow!("the table is away"))
}

fn send(sqs: &ScriptedSqs, count: usize) {
    for number in 0..count {
        sqs.send(&number.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_hours_uses_up_no_try_and_asks_seldom() {
    let sqs = ScriptedSqs::default();
    send(&sqs, 300);
    let table = Dependency::away();
    let subscription = start(&sqs, settings(), table.handler()).await;
    sleep(seconds(2 * 3600)).await;
    let (calls, polls) = (table.calls.load(Ordering::Relaxed), sqs.calls(RECEIVE));
    // All that were received before the breaker opened, and then every ten seconds or so.
    assert!(calls < 2_000, "{calls} calls of the handler");
    assert!(polls < 50, "{polls} polls");
    assert!(sqs.waiting().iter().all(|(_, _, receives)| *receives <= 1));
    assert!(subscription.worker.examine().unwrap().contains("dependencies are unavailable"));

    table.switch(false);
    let since = Instant::now();
    subscription.until_empty().await;
    assert!(since.elapsed() < seconds(60), "it took {:?} to catch up", since.elapsed());
    assert_eq!((sqs.deleted().len(), sqs.dead()), (300, Vec::new()));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_during_an_outage_stays_in_the_queue() {
    let sqs = ScriptedSqs::default();
    sqs.send("early");
    let table = Dependency::away();
    let subscription = start(&sqs, settings(), table.handler()).await;
    sleep(seconds(60)).await;
    assert!(subscription.worker.breaker.is_open());
    send(&sqs, 5);
    sleep(seconds(600)).await;
    assert!((0..5).all(|number| sqs.receives(&number.to_string()) == 0));
    table.switch(false);
    subscription.until_empty().await;
    assert_eq!(sqs.deleted().len(), 6);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_recovers_is_not_knocked_over() {
    let sqs = ScriptedSqs::default();
    send(&sqs, 100);
    let table = Dependency::away();
    let subscription = start(&sqs, settings(), table.handler()).await;
    sleep(seconds(300)).await;
    table.most_ahead.store(0, Ordering::Relaxed);
    table.switch(false);
    subscription.until_empty().await;
    let ahead = table.most_ahead.load(Ordering::Relaxed);
    assert_eq!(ahead, 1, "calls at once, beyond those that had succeeded");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn messages_survive_an_outage_with_kills_in_the_middle() {
    let sqs = ScriptedSqs::default();
    send(&sqs, 50);
    let table = Dependency::away();
    for _ in 0..5 {
        let subscription = start(&sqs, settings(), table.handler()).await;
        sleep(seconds(90)).await;
        subscription.kill();
    }
    table.switch(false);
    let subscription = start(&sqs, settings(), table.handler()).await;
    subscription.until_empty().await;
    assert_eq!((sqs.deleted().len(), sqs.dead()), (50, Vec::new()));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_fails_half_of_the_calls_slows_down_and_stops_nothing() {
    let sqs = ScriptedSqs::default();
    send(&sqs, 500);
    let subscription = start(&sqs, settings(), async |_| {
        work_for(Duration::from_millis(10)).await?;
        if rand::random_bool(0.5) { Err(unavailable()) } else { Ok(()) }
    })
    .await;
    let since = Instant::now();
    subscription.until_empty().await;
    assert_eq!((sqs.deleted().len(), sqs.dead()), (500, Vec::new()));
    // Chance decides how often the pauses grow: four minutes, as a rule.
    assert!(since.elapsed() < seconds(900), "{:?}", since.elapsed());
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn sigterm_in_an_outage_releases_what_waits_and_does_not_take_the_whole_drain() {
    let sqs = ScriptedSqs::default();
    send(&sqs, 30);
    let table = Dependency::away();
    let subscription = start(&sqs, settings(), table.handler()).await;
    sleep(seconds(100)).await;
    let taken = subscription.end().await;
    assert!(taken < seconds(25), "{taken:?}");
    let hidden = sqs.waiting().iter().map(|(_, hidden, _)| *hidden).max();
    assert_eq!(hidden, Some(Duration::ZERO), "released");
}

#[tokio::test(start_paused = true)]
async fn a_message_at_fault_is_given_up_after_three_failures_whatever_was_killed_before() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    for _ in 0..4 {
        let subscription = start(&sqs, settings(), |_| work_for(seconds(20))).await;
        sleep(seconds(5)).await;
        subscription.kill();
        sqs.redeliver("a");
    }
    let subscription = start(&sqs, settings(), async |_| Err(retry())).await;
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.dead()), ["a"]);
    assert_eq!(subscription.handled.starts("a").len(), 3);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_dependencies_fail_uses_up_no_try() {
    let sqs = ScriptedSqs::default();
    send(&sqs, 20);
    let table = Dependency::away();
    let hanging = table.clone();
    let subscription = start(&sqs, settings(), move |notification| {
        let (table, hangs) = (hanging.clone(), notification.message == "7");
        async move {
            if hangs && table.is_away.load(Ordering::Relaxed) {
                sleep(seconds(1_000)).await;
            }
            table.call().await
        }
    })
    .await;
    sleep(seconds(1_000)).await;
    table.switch(false);
    subscription.until_empty().await;
    assert_eq!((sqs.deleted().len(), sqs.dead()), (20, Vec::new()));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn queue_settings_that_could_not_be_read_at_the_start_are_read_later() {
    let sqs = ScriptedSqs::default();
    sqs.inject_fault(ATTRIBUTES, usize::MAX, Fault::Denied);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    assert_eq!(subscription.worker.attributes().max_receives, Some(3), "assumed");
    sqs.clear_fault(ATTRIBUTES);
    sleep(seconds(30)).await;
    assert_eq!(subscription.worker.attributes().max_receives, Some(MAX_RECEIVES));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn queue_settings_are_read_until_they_are_known_and_not_again() {
    for (times, calls) in [(0, 1), (10, 11)] {
        let sqs = ScriptedSqs::default();
        sqs.inject_fault(ATTRIBUTES, times, Fault::Denied);
        let shutdown = CancellationToken::new();
        let (aws, end) = (sqs.config(), shutdown.clone());
        let handler = |(), _| async { Ok(()) };
        let running = tokio::spawn(async move { subscribe(&aws, settings(), end, handler).await });
        sleep(seconds(3_600)).await;
        assert_eq!(sqs.calls(ATTRIBUTES), calls);
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_last_message_is_given_up_in_an_outage_goes_on_to_receive() {
    let sqs = ScriptedSqs::default();
    sqs.send("poison");
    let subscription = start(&sqs, settings(), async |notification| {
        match (notification.message.as_str(), notification.retries) {
            ("poison", ..20) => Err(unavailable()),
            ("poison", _) => Err(poison()),
            _ => Ok(()),
        }
    })
    .await;
    sleep(seconds(600)).await;
    assert_eq!(ids(&sqs.dead()), ["poison"]);
    sqs.send("good");
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.deleted()), ["good"]);
    assert!(!subscription.worker.breaker.is_open());
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_one_permit_recovers_too() {
    let sqs = ScriptedSqs::default();
    send(&sqs, 3);
    let table = Dependency::away();
    let narrow = Settings { max_in_flight: 1, ..settings() };
    let subscription = start(&sqs, narrow, table.handler()).await;
    sleep(seconds(60)).await;
    assert!(subscription.worker.breaker.is_open());
    table.switch(false);
    subscription.until_empty().await;
    let state = subscription.worker.examine().unwrap();
    assert!(!state.contains("unavailable"), "{state}");
    assert_eq!(sqs.deleted().len(), 3);
    subscription.end().await;
}
