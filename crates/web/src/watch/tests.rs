//! What viewers see, on paused time, with a thing that counts how often it is read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::{CancellationToken, Duration, Unseen, VIEW_MAX, Watched, Watchers, sleep};

const MAX_VIEWERS: usize = 10;
const FINAL: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Thing(u64);

impl Watched for Thing {
    fn version(&self) -> u64 {
        self.0
    }

    fn is_final(&self) -> bool {
        self.0 == FINAL
    }
}

/// A thing that another process changes, and what this one has to watch it.
struct Scene {
    elsewhere: Arc<AtomicU64>,
    reads: Arc<AtomicUsize>,
    shutdown: CancellationToken,
    watchers: Watchers<u8, Thing>,
}

impl Scene {
    fn new() -> Self {
        let (elsewhere, reads) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicUsize::new(0)));
        let (version, count) = (Arc::clone(&elsewhere), Arc::clone(&reads));
        let shutdown = CancellationToken::new();
        let watchers = Watchers::new(MAX_VIEWERS, shutdown.clone(), move |key| {
            count.fetch_add(1, Ordering::SeqCst);
            let thing = (key == 0).then(|| Thing(version.load(Ordering::SeqCst)));
            async move { Ok(thing) }
        });
        Self { elsewhere, reads, shutdown, watchers }
    }

    async fn view(&self, known: Option<u64>) -> impl futures_util::Stream<Item = Thing> + use<> {
        Box::pin(self.watchers.view(0, known).await.unwrap().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn the_whole_state_comes_first_and_then_each_change() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    assert_eq!(view.next().await, Some(Thing(1)));
    scene.elsewhere.store(2, Ordering::SeqCst);
    assert_eq!(view.next().await, Some(Thing(2)));
    scene.elsewhere.store(FINAL, Ordering::SeqCst);
    assert_eq!(view.next().await, Some(Thing(FINAL)));
    assert_eq!(view.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_comes_again_sees_only_what_it_missed() {
    let scene = Scene::new();
    let mut view = scene.view(Some(1)).await;
    scene.elsewhere.store(2, Ordering::SeqCst);
    assert_eq!(view.next().await, Some(Thing(2)));
    let mut late = scene.view(Some(1)).await;
    assert_eq!(late.next().await, Some(Thing(2)));
    scene.elsewhere.store(FINAL, Ordering::SeqCst);
    assert_eq!(scene.view(Some(FINAL)).await.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn what_changes_here_is_seen_at_once_and_what_changes_elsewhere_within_two_seconds() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    view.next().await;
    // By now it reads as seldom as it ever does.
    sleep(Duration::from_secs(60)).await;
    let changed = Instant::now();
    scene.watchers.changed(&0, Thing(2));
    assert_eq!(view.next().await, Some(Thing(2)));
    assert_eq!(changed.elapsed(), Duration::ZERO);
    scene.elsewhere.store(3, Ordering::SeqCst);
    assert_eq!(view.next().await, Some(Thing(3)));
    assert!(changed.elapsed() <= Duration::from_secs(2), "{:?}", changed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_older_state_never_follows_a_newer_one() {
    let scene = Scene::new();
    let mut view = scene.view(None).await;
    view.next().await;
    scene.watchers.changed(&0, Thing(5));
    assert_eq!(view.next().await, Some(Thing(5)));
    // What is read elsewhere is still version 1 for a while.
    sleep(Duration::from_secs(10)).await;
    scene.elsewhere.store(6, Ordering::SeqCst);
    assert_eq!(view.next().await, Some(Thing(6)));
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
    assert_eq!(reads_of(MAX_VIEWERS).await, one);
    assert!((30..40).contains(&one), "{one} reads in a minute");
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_and_nothing_is_read() {
    let scene = Scene::new();
    drop(scene.view(None).await);
    sleep(Duration::from_secs(3)).await;
    let reads = scene.reads.load(Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(scene.reads.load(Ordering::SeqCst), reads);
    assert!(scene.watchers.0.watched().is_empty());
    // And it can be looked at again.
    assert_eq!(scene.view(None).await.next().await, Some(Thing(1)));
}

#[tokio::test(start_paused = true)]
async fn viewers_are_limited_and_what_is_not_there_is_not_seen() {
    let scene = Scene::new();
    assert!(scene.watchers.view(1, None).await.unwrap().is_none());
    let mut views = Vec::new();
    for _ in 0..MAX_VIEWERS {
        views.push(scene.view(None).await);
    }
    assert!(matches!(scene.watchers.view(0, None).await, Err(Unseen::TooMany)));
    views.pop();
    assert!(scene.watchers.view(0, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_view_ends_after_two_minutes_and_with_the_process() {
    let scene = Scene::new();
    let started = Instant::now();
    let seen: Vec<_> = scene.view(None).await.collect().await;
    assert_eq!((seen, started.elapsed()), (vec![Thing(1)], VIEW_MAX));

    let mut view = scene.view(None).await;
    view.next().await;
    scene.shutdown.cancel();
    let ended = Instant::now();
    assert_eq!(view.next().await, None);
    assert_eq!(ended.elapsed(), Duration::ZERO);
}
