//! The system with FIFO topics and queues, made from changed manifests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use local::build;

mod test_system;

use test_system::TestSystem;

type Outcome = anyhow::Result<()>;

/// The changes of `docs/workshop/in-order.md`: file, text, and what replaces it.
const CHANGES: [(&str, &str, &str); 10] = [
    ("publisher/manifest.yml", "- name: ordersTopic", "- name: ordersTopic\n      fifo: true"),
    ("publisher/manifest.yml", "- name: ping", "- name: ping\n      fifo: true"),
    ("fulfilment/manifest.yml", "  queue:\n", "  queue:\n    fifo: {high_throughput: true}\n"),
    ("promotion/manifest.yml", "  queue:\n", "  queue:\n    fifo: {high_throughput: true}\n"),
    ("fulfilment/overrides/cfn.patches.yml", RETENTION, FIFO_RETENTION),
    ("promotion/overrides/cfn.patches.yml", RETENTION, FIFO_RETENTION),
    ("fulfilment/overrides/cfn.patches.yml", "publisherordersTopicS", "publisherordersTopicfifoS"),
    ("fulfilment/overrides/cfn.patches.yml", "publisherpingS", "publisherpingfifoS"),
    ("promotion/overrides/cfn.patches.yml", "publisherordersTopicS", "publisherordersTopicfifoS"),
    ("pipelines/pubsub-main/manifest.yml", HISTORY, ""),
];
const HISTORY: &str = "      history:\n        depends_on: [publisher, fulfilment, promotion]\n";
const RETENTION: &str = "      MessageRetentionPeriod:";
const FIFO_RETENTION: &str = "      FifoQueue: true\n      MessageRetentionPeriod:";

/// A copy of the Copilot files with FIFO topics and queues.
fn fifo_files(directory: &Path) -> anyhow::Result<PathBuf> {
    let copy = directory.join("copilot");
    let copied =
        Command::new("cp").arg("-R").args([&build::copilot_directory(), &copy]).status()?;
    ensure!(copied.success(), "the Copilot files cannot be copied");
    // Its queue gets the reports too, whose topics are not FIFO.
    fs::remove_dir_all(copy.join("history"))?;
    for (file, text, changed) in CHANGES {
        let file = copy.join(file);
        let before = fs::read_to_string(&file)?;
        ensure!(before.contains(text), "{} has no {text:?}", file.display());
        fs::write(&file, before.replacen(text, changed, 1))?;
    }
    Ok(copy)
}

/// The orders among `ids` that a service logged as `done`, in the order of its log.
fn finished(test: &TestSystem, service: &str, done: &str, ids: &[String]) -> Vec<String> {
    let lines = test.lines(service, done).into_iter();
    lines.filter_map(|line| ids.iter().find(|id| line.contains(*id)).cloned()).collect()
}

#[tokio::test]
async fn the_orders_of_a_customer_are_handled_in_the_order_in_which_they_were_placed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let copilot = fifo_files(directory.path())?;
    // The first order of each customer takes longest, so without groups others would overtake it.
    let test = TestSystem::start_from(copilot, &[("PACE_MS", "50")]).await?;
    let queue = test.system.account.service("fulfilment").context("no fulfilment")?;
    let url = queue.variable("COPILOT_QUEUE_URI").context("no queue")?;
    ensure!(url.ends_with(".fifo"), "fulfilment's queue is {url}");

    let (mut of_ada, mut of_grace) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        of_ada.push(test.order("Ada Lovelace", "80").await?);
        of_grace.push(test.order("Grace Hopper", "80").await?);
    }
    for id in of_ada.iter().chain(&of_grace) {
        test.see_until(id, |order| order["is_done"] == true).await?;
        test.logged("promotion", &["coupon granted", id]).await?;
    }
    for ids in [&of_ada, &of_grace] {
        assert_eq!(finished(&test, "fulfilment", "order fulfilled", ids), *ids);
        assert_eq!(finished(&test, "promotion", "coupon granted", ids), *ids);
    }
    test.system.stop().await
}
