//! What viewers see, on paused time, of a thing that counts how often it is read.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::http::HeaderMap;
use futures_util::StreamExt as _;
use tokio::time::sleep_until;

use super::{
    CancellationToken, Client, Duration, Instant, Limits, MAX_READING, NoStream, READ_SELDOM,
    Reached, Stream, VIEW_MAX, Watched, Watchers, sleep,
};

const MAX_VIEWERS: usize = 10;
const LIMITS: Limits = Limits { in_all: MAX_VIEWERS, of_a_client: MAX_VIEWERS - 1 };
/// How long after it is done a thing is settled.
const QUIET: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Thing {
    version: u64,
    done_at: Option<Instant>,
}

impl Thing {
    fn working(version: u64) -> Self {
        Self { version, done_at: None }
    }

    fn done(version: u64) -> Self {
        Self { version, done_at: Some(Instant::now()) }
    }
}

impl Watched for Thing {
    fn version(&self) -> u64 {
        self.version
    }

    fn is_settled(&self) -> bool {
        self.done_at.is_some_and(|at| at.elapsed() >= QUIET)
    }
}

fn client(last: u8) -> Client {
    Client::of([203, 0, 113, last].into(), &HeaderMap::new(), 0)
}

/// A thing that another process changes, and what this process needs to watch it.
struct Scene {
    elsewhere: Arc<Mutex<Thing>>,
    reads: Arc<AtomicUsize>,
    shutdown: CancellationToken,
    watchers: Watchers<u8, Thing>,
}

impl Scene {
    fn new() -> Self {
        let elsewhere = Arc::new(Mutex::new(Thing::working(1)));
        let reads = Arc::new(AtomicUsize::new(0));
        let (thing, count) = (Arc::clone(&elsewhere), Arc::clone(&reads));
        let shutdown = CancellationToken::new();
        let watchers = Watchers::new(LIMITS, shutdown.clone(), move |key| {
            count.fetch_add(1, Ordering::SeqCst);
            let thing = (key == 0).then(|| *thing.lock().unwrap());
            async move { Ok(thing) }
        });
        Self { elsewhere, reads, shutdown, watchers }
    }

    /// A scene whose thing is settled at version 1.
    async fn settled() -> Self {
        let scene = Self::new();
        scene.change_elsewhere(Thing::done(1));
        sleep(QUIET).await;
        scene
    }

    fn change_elsewhere(&self, thing: Thing) {
        *self.elsewhere.lock().unwrap() = thing;
    }

    async fn view(&self, known: Option<u64>) -> impl Stream<Item = Thing> + use<> {
        Box::pin(self.watchers.view(0, known, client(1)).await.unwrap())
    }

    async fn refusal(&self, key: u8, known: Option<u64>) -> NoStream {
        self.watchers.view(key, known, client(1)).await.err().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_present_state_comes_first_and_then_each_change() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    assert_eq!(view.next().await, Some(Thing::working(1)));
    scene.change_elsewhere(Thing::working(2));
    assert_eq!(view.next().await, Some(Thing::working(2)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_soon_after_the_thing_is_settled() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    view.next().await;
    let done = Thing::done(2);
    scene.change_elsewhere(done);
    assert_eq!(view.next().await, Some(done));
    assert_eq!(view.next().await, None);
    let lasted = done.done_at.unwrap().elapsed();
    assert!((QUIET..=QUIET + READ_SELDOM).contains(&lasted), "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_after_the_thing_was_done_is_seen_too() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    view.next().await;
    let done = Thing::done(2);
    scene.change_elsewhere(done);
    assert_eq!(view.next().await, Some(done));
    // By what the watcher knows, it is settled a moment later. It reads before it decides.
    sleep_until(done.done_at.unwrap() + QUIET - Duration::from_millis(1)).await;
    scene.change_elsewhere(Thing::done(3));
    assert_eq!(view.next().await.map(|it| it.version), Some(3));
    assert_eq!(view.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_settled_thing_is_shown_once_and_costs_one_read() {
    let scene = Scene::settled().await;
    let started = Instant::now();
    for known in [None, Some(0)] {
        let seen: Vec<_> = scene.view(known).await.collect().await;
        assert_eq!(seen.iter().map(|it| it.version).collect::<Vec<_>>(), [1]);
    }
    assert!(matches!(scene.refusal(0, Some(1)).await, NoStream::UpToDate));
    // Nobody here wrote version 2: the stream is empty.
    assert_eq!(scene.view(Some(2)).await.next().await, None);
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(scene.reads.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_is_up_to_date_by_what_is_stored_and_not_by_what_was_read_before() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    view.next().await;
    let settled = Thing::done(2);
    sleep(QUIET).await;
    let asked = Instant::now();
    // The watcher does not read in the time that all of this takes: none.
    scene.watchers.changed(&0, settled);
    scene.change_elsewhere(settled);
    assert!(matches!(scene.refusal(0, Some(2)).await, NoStream::UpToDate));
    scene.change_elsewhere(Thing::working(3));
    assert_eq!(scene.view(Some(2)).await.next().await, Some(Thing::working(3)));
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_reconnects_sees_only_what_it_missed() {
    let scene = Scene::new();
    let mut view = scene.view(Some(1)).await;
    scene.change_elsewhere(Thing::working(2));
    assert_eq!(view.next().await, Some(Thing::working(2)));
    let mut late = scene.view(Some(1)).await;
    assert_eq!(late.next().await, Some(Thing::working(2)));
}

#[tokio::test(start_paused = true)]
async fn a_change_here_is_seen_at_once_and_a_change_elsewhere_within_two_seconds() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    view.next().await;
    // By now the watcher reads as seldom as it ever does.
    sleep(Duration::from_secs(60)).await;
    let changed = Instant::now();
    scene.watchers.changed(&0, Thing::working(2));
    assert_eq!(view.next().await, Some(Thing::working(2)));
    assert_eq!(changed.elapsed(), Duration::ZERO);
    scene.change_elsewhere(Thing::working(3));
    assert_eq!(view.next().await, Some(Thing::working(3)));
    assert!(changed.elapsed() <= READ_SELDOM, "{:?}", changed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_change_elsewhere_just_after_a_page_was_opened_is_seen_within_half_a_second() {
    let scene = Scene::new();
    let opened = Instant::now();
    let mut view = scene.view(None).await;
    view.next().await;
    // The watcher has read once more by now, and found nothing new.
    sleep(Duration::from_millis(250)).await;
    scene.change_elsewhere(Thing::working(2));
    assert_eq!(view.next().await, Some(Thing::working(2)));
    assert!(opened.elapsed() <= Duration::from_millis(500), "{:?}", opened.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_older_state_never_follows_a_newer_one() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    view.next().await;
    scene.watchers.changed(&0, Thing::working(5));
    assert_eq!(view.next().await, Some(Thing::working(5)));
    // Reads still find version 1 for a while.
    sleep(Duration::from_secs(10)).await;
    scene.change_elsewhere(Thing::working(6));
    assert_eq!(view.next().await, Some(Thing::working(6)));
}

#[tokio::test(start_paused = true)]
async fn many_viewers_cost_the_reads_of_one() {
    let reads_of = async |viewers: usize| {
        let scene = Scene::new();
        let mut views = Vec::new();
        for _ in 0..viewers {
            views.push(scene.view(None).await);
        }
        sleep(Duration::from_secs(60)).await;
        scene.reads.load(Ordering::SeqCst)
    };
    let one = reads_of(1).await;
    assert_eq!(reads_of(LIMITS.of_a_client).await, one);
    assert!((30..40).contains(&one), "{one} reads in a minute");
}

#[tokio::test(start_paused = true)]
async fn without_viewers_nothing_is_read() {
    let scene = Scene::new();
    drop(scene.view(None).await);
    sleep(Duration::from_secs(3)).await;
    let reads = scene.reads.load(Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(scene.reads.load(Ordering::SeqCst), reads);
    assert!(scene.watchers.0.watched().is_empty());
    // And it can be viewed again.
    assert_eq!(scene.view(None).await.next().await, Some(Thing::working(1)));
}

#[tokio::test(start_paused = true)]
async fn viewers_are_limited_and_a_missing_thing_is_not_found() {
    let scene = Scene::new();
    assert!(matches!(scene.refusal(1, None).await, NoStream::NotFound));
    let mut views = Vec::new();
    for _ in 0..LIMITS.of_a_client {
        views.push(scene.view(None).await);
    }
    let refused = scene.refusal(0, None).await;
    assert!(matches!(refused, NoStream::TooManyViewers(Reached::OfThisClient)), "{refused}");
    let other = scene.watchers.view(0, None, client(2)).await;
    assert!(other.is_ok());
    let refused = scene.watchers.view(0, None, client(3)).await.err();
    assert!(matches!(refused, Some(NoStream::TooManyViewers(Reached::InAll))), "{refused:?}");
    views.pop();
    assert!(scene.watchers.view(0, None, client(3)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn while_reading_hangs_most_watchers_wait_without_a_call() {
    const THINGS: usize = 3 * MAX_READING;
    let (reads, hangs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, hanging) = (Arc::clone(&reads), Arc::clone(&hangs));
    let limits = Limits { in_all: THINGS, of_a_client: THINGS };
    let watchers = Watchers::new(limits, CancellationToken::new(), move |_: usize| {
        let hanging = Arc::clone(&hanging);
        let is_first = count.fetch_add(1, Ordering::SeqCst) < THINGS;
        async move {
            if !is_first {
                hanging.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            Ok(Some(Thing::working(1)))
        }
    });
    let mut views = Vec::new();
    for key in 0..THINGS {
        views.push(watchers.view(key, None, client(1)).await.unwrap());
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(hangs.load(Ordering::SeqCst), MAX_READING);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_two_minutes_and_when_the_process_shuts_down() {
    let scene = Scene::new();
    let started = Instant::now();
    let seen: Vec<_> = scene.view(None).await.collect().await;
    assert_eq!((seen, started.elapsed()), (vec![Thing::working(1)], VIEW_MAX));

    let mut view = scene.view(None).await;
    view.next().await;
    scene.shutdown.cancel();
    let ended = Instant::now();
    assert_eq!(view.next().await, None);
    assert_eq!(ended.elapsed(), Duration::ZERO);
}
