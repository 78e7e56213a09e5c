//! What happened, and once more: events are kept, listed, shown, and replayed to one subscriber.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{self, Output, Stdio},
};

use anyhow::{Context as _, ensure};
use archive::{Archive, Event, Order, Range};
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{SignedDuration, Timestamp};
use local::build;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use orders::event::EVENT_TYPE;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::{sleep, timeout},
};

#[path = "../test_system/mod.rs"]
mod test_system;

mod later;

use test_system::{LOOK_EVERY, TIMEOUT, TestSystem};

type Outcome = anyhow::Result<()>;

/// `local events` on the endpoint of `test`, without a terminal.
async fn command(test: &TestSystem, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(build::binary(&build::binaries().await?, "local")?);
    command.arg("events").args(arguments).stdin(Stdio::null());
    command.env("AWS_ENDPOINT_URL", &test.system.target.endpoint_url);
    Ok(command)
}

async fn events(test: &TestSystem, arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(command(test, arguments).await?.output().await?)
}

/// What it prints if it succeeds.
async fn printed(test: &TestSystem, arguments: &[&str]) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } = events(test, arguments).await?;
    let errors = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "{arguments:?}: {errors}");
    Ok(String::from_utf8(stdout)?)
}

async fn json(test: &TestSystem, arguments: &[&str]) -> anyhow::Result<Value> {
    let text = printed(test, &[arguments, &["--json"]].concat()).await?;
    serde_json::from_str(&text).context(text)
}

/// The Copilot files, to be changed, in `directory`.
fn copy_of_the_files(directory: &Path) -> anyhow::Result<PathBuf> {
    let copilot = directory.join("copilot");
    let mut copy = process::Command::new("cp");
    let copied = copy.arg("-R").args([&build::copilot_directory(), &copilot]).status()?;
    ensure!(copied.success(), "the Copilot files cannot be copied");
    Ok(copilot)
}

/// Every event of the last hour, the oldest first.
async fn kept(test: &TestSystem) -> anyhow::Result<Vec<Event>> {
    let archive = Archive::new(&test.aws, test.variable("history", "EVENTS_TABLE_NAME")?);
    let hour = SignedDuration::from_hours(1);
    let range = Range::new(Timestamp::now() - hour, Timestamp::now() + hour);
    let mut reader = archive.read(range, Order::OldestFirst, None);
    let mut events = Vec::new();
    while let Some(event) = reader.next().await? {
        events.push(event);
    }
    Ok(events)
}

/// Waits until `wanted` accepts the events, by how many there are of each type.
async fn kept_until(
    test: &TestSystem,
    wanted: impl Fn(&BTreeMap<String, usize>) -> bool,
) -> anyhow::Result<Vec<Event>> {
    let mut types = BTreeMap::new();
    let waited = timeout(TIMEOUT, async {
        loop {
            let events = kept(test).await?;
            types = BTreeMap::new();
            for event in &events {
                let event_type = event.notification().attributes.remove(EVENT_TYPE);
                *types.entry(event_type.unwrap_or_default()).or_insert(0) += 1;
            }
            if wanted(&types) {
                return anyhow::Ok(events);
            }
            sleep(LOOK_EVERY).await;
        }
    });
    match waited.await {
        Ok(events) => events,
        Err(_) => anyhow::bail!("history keeps {types:?}"),
    }
}

fn count(types: &BTreeMap<String, usize>, event_type: &str) -> usize {
    types.get(event_type).copied().unwrap_or_default()
}

/// Waits until nothing is left in the queue of any service.
async fn all_is_handled(test: &TestSystem) -> Outcome {
    let quiet = async {
        // A report on its way from a queue to the next is in neither for a moment.
        let mut empty_looks = 0;
        while empty_looks < 5 {
            let mut left = 0;
            for service in &test.system.account.services {
                let Some(queue) = &service.queue else { continue };
                let (visible, in_flight) = test.depth(&queue.url).await?;
                left += visible + in_flight;
            }
            empty_looks = if left == 0 { empty_looks + 1 } else { 0 };
            sleep(LOOK_EVERY * 10).await;
        }
        anyhow::Ok(())
    };
    timeout(TIMEOUT, quiet).await.context("the queues do not become empty")?
}

/// Places orders of these totals, and waits until they are done, rewarded and kept.
async fn place(test: &TestSystem, totals: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for total in totals {
        ids.push(test.order("Ada Lovelace", total).await?);
    }
    for id in &ids {
        test.see_until(id, |order| order["is_done"] == true).await?;
    }
    Ok(ids)
}

#[tokio::test]
async fn each_message_is_kept_once_and_found_by_type_order_and_id() -> Outcome {
    let test = TestSystem::start().await?;
    let ids = place(&test, &["120"; 30]).await?;
    // This SNS refuses some messages.
    while test.http.post(test.url("/ping")).send().await?.status() != 200 {}
    kept_until(&test, |types| {
        let both = ["order.fulfilled", "order.promotion.granted"];
        count(types, "ping") == 1 && both.iter().all(|it| count(types, it) >= ids.len())
    })
    .await?;
    // Queues and topics of this account bring some messages twice, and some late.
    all_is_handled(&test).await?;
    let all = kept(&test).await?;
    let messages: BTreeSet<_> = all.iter().map(|it| it.notification().message_id).collect();
    assert_eq!(messages.len(), all.len(), "a copy is kept too");

    let listed = json(&test, &["list", "--order", &ids[0]]).await?;
    let listed = listed["events"].as_array().context("no list")?.clone();
    let types: Vec<_> = listed.iter().filter_map(|event| event["type"].as_str()).collect();
    for wanted in ["order.placed", "order.fulfilled", "order.promotion.granted"] {
        assert!(types.contains(&wanted), "{types:?}");
    }
    let first = json(&test, &["list", "--type", "ping"]).await?;
    assert_eq!(first["events"].as_array().map(Vec::len), Some(1), "{first}");
    let page = json(&test, &["list", "--limit", "50"]).await?;
    let next = page["next"].as_str().context("no next page")?;
    let rest = json(&test, &["list", "--limit", "1000", "--before", next]).await?;
    let pages = [&page, &rest].map(|it| it["events"].as_array().map_or(0, Vec::len));
    assert_eq!(pages[0] + pages[1], all.len(), "{pages:?}");

    let text = printed(&test, &["list", "--order", &ids[0]]).await?;
    assert!(text.contains("order.placed") && !text.contains("Ada"), "{text}");
    let placed = listed.iter().find(|it| it["type"] == "order.placed").context("not listed")?;
    let id = placed["id"].as_str().context("no id")?;
    let shown = printed(&test, &["show", id]).await?;
    for wanted in ["Ada Lovelace", "amount = 120.00 (Number)", &ids[0], "publisher-ordersTopic"] {
        assert!(shown.contains(wanted), "{shown}");
    }
    // The page shows the same.
    let order = test.http.get(test.url(&format!("/orders/{}", ids[0])));
    let order = order.header("accept", "text/html").send().await?.text().await?;
    let path = format!("/orders/{}/history", ids[0]);
    assert!(order.contains(&format!("href=\"{path}\"")), "{order}");
    let history: Value = test.http.get(test.url(&path)).send().await?.json().await?;
    let shown = history["events"].as_array().context("no events")?;
    let mut shown: Vec<_> = shown.iter().map(|event| event["id"].clone()).collect();
    shown.reverse();
    assert_eq!(shown, listed.iter().map(|event| event["id"].clone()).collect::<Vec<_>>());
    let page = test.http.get(test.url(&path)).header("accept", "text/html").send().await?;
    let page = page.text().await?;
    for wanted in ["order.placed", "order.promotion.granted", "Ada Lovelace", "120.00"] {
        assert!(page.contains(wanted), "{page}");
    }

    let unknown = events(&test, &["show", "1795694400123-unknown"]).await?;
    assert_eq!(unknown.status.code(), Some(64), "{}", String::from_utf8_lossy(&unknown.stderr));
    test.system.stop().await
}

/// The orders as they are shown, and the coupons as they are stored.
async fn effects(test: &TestSystem, ids: &[String]) -> anyhow::Result<(Vec<Value>, Vec<String>)> {
    let mut orders = Vec::new();
    for id in ids {
        orders.push(test.see(id).await?);
    }
    let coupons = test.items("promotion", "COUPONS_TABLE_NAME").await?.into_iter();
    let mut coupons: Vec<_> =
        coupons.map(|it| format!("{:?} {:?}", it.get("order_id"), it.get("code"))).collect();
    coupons.sort();
    Ok((orders, coupons))
}

#[tokio::test]
async fn replaying_all_orders_twice_changes_no_order_and_grants_no_second_coupon() -> Outcome {
    let test = TestSystem::start().await?;
    let totals = ["50", "79.99", "80", "120"].repeat(5);
    let ids = place(&test, &totals).await?;
    kept_until(&test, |types| {
        count(types, "order.placed") >= 20 && count(types, "order.promotion.granted") >= 10
    })
    .await?;
    all_is_handled(&test).await?;
    let before = effects(&test, &ids).await?;
    assert_eq!(before.1.len(), 10, "{before:?}");
    // An order may be announced more than once.
    let placed = kept(&test).await?.into_iter().map(|event| event.notification().attributes);
    let amounts: Vec<f64> = placed.filter_map(|it| it.get("amount")?.parse().ok()).collect();
    let large = amounts.iter().filter(|amount| **amount >= 80.0).count();
    let done = |test: &TestSystem| {
        ["order fulfilled", "coupon granted"]
            .map(|it| test.lines("fulfilment", it).len() + test.lines("promotion", it).len())
    };
    let done_before = done(&test);

    let select = ["replay", "--from", "1h", "--type", "order.placed", "--rate", "1000", "--to"];
    let select = |to: &'static str| [select.as_slice(), &[to]].concat();
    let counted = json(&test, &[select("promotion").as_slice(), &["--dry-run"]].concat()).await?;
    assert_eq!(done(&test), done_before, "a dry run sends something");
    for _ in 0..2 {
        let fulfilment = json(&test, &select("fulfilment")).await?;
        let promotion = json(&test, &select("promotion")).await?;
        assert_eq!(promotion, counted);
        assert_eq!([&fulfilment["sent"], &fulfilment["filtered"]], [amounts.len(), 0]);
        let filtered = amounts.len() - large;
        assert_eq!([&promotion["sent"], &promotion["filtered"]], [large, filtered]);
        all_is_handled(&test).await?;
    }
    let done_after = done(&test);
    assert!(done_after[0] >= done_before[0] + 40, "{done_before:?} {done_after:?}");
    assert!(done_after[1] >= done_before[1] + 20, "{done_before:?} {done_after:?}");
    let after = effects(&test, &ids).await?;
    for (before, after) in before.0.iter().zip(&after.0) {
        assert_eq!(after, before);
    }
    assert_eq!(after.1, before.1);

    // What the workers reported because of it is known as such, and is replayed to nobody as news.
    let reports = kept(&test).await?;
    let caused = reports.iter().filter(|it| it.notification().is_caused_by_replay()).count();
    assert!(caused >= 60, "{caused} reports are marked");
    test.system.stop().await
}

#[tokio::test]
async fn a_replay_that_is_interrupted_goes_on_where_it_stopped() -> Outcome {
    const ORDERS: usize = 12;
    let test = TestSystem::start().await?;
    place(&test, &["50"; ORDERS]).await?;
    kept_until(&test, |types| count(types, "order.placed") >= ORDERS).await?;
    all_is_handled(&test).await?;
    let all = kept(&test).await?;
    let all = all.iter().filter(|it| it.notification().message.contains("customer")).count();
    let select = ["replay", "--to", "fulfilment", "--from", "1h", "--type", "order.placed"];
    let mut slow =
        command(&test, &[select.as_slice(), &["--rate", "1", "--json"]].concat()).await?;
    let mut slow = slow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // It prints its progress every five seconds.
    let mut progress = BufReader::new(slow.stderr.take().context("no output")?).lines();
    let first = timeout(TIMEOUT, progress.next_line()).await??.context("no progress")?;
    assert!(first.contains("sent"), "{first}");
    kill(Pid::from_raw(slow.id().context("it ended")?.try_into()?), Signal::SIGINT)?;
    let ended = slow.wait_with_output().await?;
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    let part: Value = serde_json::from_slice(&ended.stdout)?;
    let sent = part["sent"].as_u64().context("no count")? as usize;
    assert!(sent > 0 && sent < all && part["is_interrupted"] == true, "{part}");

    let last = part["last"].as_str().context("no event")?;
    let rest = json(&test, &[select.as_slice(), &["--after", last]].concat()).await?;
    assert_eq!(rest["sent"].as_u64(), Some((all - sent) as u64), "{part} {rest}");
    test.system.stop().await
}

#[tokio::test]
async fn an_event_is_kept_before_its_message_is_deleted() -> Outcome {
    let mut test = TestSystem::start().await?;
    let url = test.queue("history")?.url;
    aws_sdk_sqs::Client::new(&test.aws)
        .set_queue_attributes()
        .queue_url(&url)
        .attributes(QueueAttributeName::VisibilityTimeout, "10")
        .send()
        .await?;
    test.stop("history").await?;
    let unreachable = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1");
    test.variables("history")?.insert(unreachable.0.into(), unreachable.1.into());
    test.system.start_service("history")?;
    let id = test.order("Ada", "50").await?;
    test.see_until(&id, |order| order["is_done"] == true).await?;
    test.logged("history", &["a dependency is unavailable; the message is kept"]).await?;
    assert_eq!(kept(&test).await?, []);

    test.variables("history")?.remove(unreachable.0);
    // Starting it again kills the process that holds the messages.
    test.system.start_service("history")?;
    kept_until(&test, |types| {
        count(types, "order.placed") >= 1 && count(types, "order.fulfilled") >= 1
    })
    .await?;
    test.dead_letters("history", 0).await?;
    test.system.stop().await
}

#[tokio::test]
async fn without_history_everything_else_works_and_its_page_says_that_there_is_none() -> Outcome {
    let directory = tempfile::tempdir()?;
    let copilot = copy_of_the_files(directory.path())?;
    fs::remove_dir_all(copilot.join("history"))?;
    let pipeline = copilot.join("pipelines/pubsub-main/manifest.yml");
    let stages = fs::read_to_string(&pipeline)?;
    let (stages, _) = stages.split_once("      history:\n").context("it is not deployed")?;
    fs::write(&pipeline, stages)?;
    let test = TestSystem::start_from(copilot, &[]).await?;
    let ids = place(&test, &["120"]).await?;
    test.see_until(&ids[0], |order| order.to_string().contains("granted")).await?;
    let page = test.http.get(test.url(&format!("/orders/{}/history", ids[0])));
    let page = page.header("accept", "text/html").send().await?.error_for_status()?.text().await?;
    assert!(page.contains("No history is kept."), "{page}");
    let listed = events(&test, &["list"]).await?;
    let said = String::from_utf8_lossy(&listed.stderr);
    assert_eq!(listed.status.code(), Some(64), "{said}");
    assert!(said.contains("is history deployed?"), "{said}");
    test.system.stop().await
}
