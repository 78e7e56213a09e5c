//! Scans that take longer than the visibility timeout, and what a person sees meanwhile.

use anyhow::Context as _;
use tokio::time::timeout;

use crate::{
    Outcome,
    sample::{Differences, Sample, TIMEOUT},
    textract::picture,
};

/// Shorter than a slow scan takes.
const VISIBILITY: u32 = 2;

fn impatient() -> Differences {
    Differences { visibility: Some(VISIBILITY), ..Differences::default() }
}

#[tokio::test]
async fn a_scan_longer_than_the_visibility_timeout_is_made_once() -> Outcome {
    let sample = Sample::start(impatient()).await?;
    let id = sample.send(picture("slow")).await?;
    assert!(sample.verdict(id).await?["verdict"]["accepted"].is_object());
    assert_eq!((sample.textract.calls("slow"), sample.drained().await?), (1, 0));
    sample.system.stop().await
}

#[tokio::test]
async fn the_receipt_of_a_killed_scanner_is_scanned_by_another() -> Outcome {
    let mut sample = Sample::start(impatient()).await?;
    let id = sample.send(picture("slow")).await?;
    sample.see_until(id, |receipt| receipt["state"] == "being scanned").await?;
    sample.system.process("scanner")?.kill();
    let _ = sample.system.exited().await;
    sample.system.start_service("scanner")?;
    assert!(sample.verdict(id).await?["verdict"]["accepted"].is_object());
    assert_eq!(sample.drained().await?, 0, "dead letters");
    sample.system.stop().await
}

#[tokio::test]
async fn each_web_task_shows_the_progress_live() -> Outcome {
    let mut sample = Sample::start(Differences::default()).await?;
    sample.system.start_service("web-2")?;
    let second = sample.log.wait_for("web-2", TIMEOUT, |line| line.contains("listening")).await?;
    let port = second.rsplit(':').next().context("no port")?.trim().to_owned();
    let id = sample.send(picture("slow")).await?;
    for port in [sample.system.url.rsplit(':').next().context("no port")?.to_owned(), port] {
        let url = format!("http://127.0.0.1:{port}/receipts/{id}/events");
        let mut events = sample.http.get(url).send().await?;
        let mut seen = String::new();
        while let Some(chunk) = timeout(TIMEOUT, events.chunk()).await?? {
            seen += &String::from_utf8_lossy(&chunk);
        }
        // The stream ends with the verdict.
        assert!(seen.contains(r#""accepted""#), "{port}: {seen}");
    }
    sample.system.stop().await
}
