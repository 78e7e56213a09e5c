//! What comes in, and what does not.

use serde_json::Value;
use uuid::Uuid;

use crate::{
    Outcome,
    sample::{Differences, Sample},
    textract::picture,
};

#[tokio::test]
async fn a_picture_that_is_sent_twice_is_one_receipt() -> Outcome {
    let sample = Sample::start(Differences::default()).await?;
    let id = sample.send(picture("expense")).await?;
    assert_eq!(sample.put(id, picture("expense")).await?.status(), 200);
    let other = sample.put(id, picture("expense of another shop")).await?;
    let (status, problem) = (other.status(), other.json::<Value>().await?);
    let detail = "Another picture was sent with this id before, and has not changed.";
    assert_eq!((status.as_u16(), problem["detail"].as_str()), (409, Some(detail)));
    sample.verdict(id).await?;
    let kept = sample.http.get(sample.url(&format!("/receipts/{id}/picture"))).send().await?;
    assert_eq!(kept.headers()["content-type"], "image/png");
    assert_eq!(kept.bytes().await?, picture("expense"));
    // What was stored for the repetitions is gone.
    assert_eq!(sample.pictures().await?.len(), 1);
    let list: Value = sample.http.get(sample.url("/receipts")).send().await?.json().await?;
    assert_eq!(list["receipts"].as_array().map(Vec::len), Some(1), "{list}");
    sample.system.stop().await
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_nothing_is_stored() -> Outcome {
    let sample = Sample::start(Differences::default()).await?;
    let large = [picture("large"), vec![0; 10_000_000]].concat();
    for (body, status, detail) in [
        (Vec::new(), 422, "The file is empty."),
        (b"Dear Ada, these are words.".to_vec(), 415, "The file is not a JPEG, PNG or WebP"),
        (b"GIF89a and so on, and so on".to_vec(), 415, "The file is not a JPEG, PNG or WebP"),
        (large, 413, "The file has more than 10 MB."),
    ] {
        let answer = sample.put(Uuid::now_v7(), body).await?;
        let (got, problem) = (answer.status(), answer.json::<Value>().await?);
        let said = problem["detail"].as_str().unwrap_or_default();
        assert!(got == status && said.starts_with(detail), "{got}: {problem}");
    }
    let foreign = sample.http.put(sample.url(&format!("/receipts/{}", Uuid::now_v7())));
    let foreign = foreign.header("sec-fetch-site", "cross-site").body(picture("expense"));
    assert_eq!(foreign.send().await?.status(), 403);
    assert_eq!(sample.pictures().await?, Vec::<String>::new());
    sample.system.stop().await
}

#[tokio::test]
async fn a_receipt_is_cancelled_before_its_scan_and_during_it() -> Outcome {
    let mut sample = Sample::start(Differences::default()).await?;
    let during = sample.send(picture("hanging")).await?;
    sample.see_until(during, |receipt| receipt["state"] == "being scanned").await?;
    assert_eq!(sample.cancel(during).await?.status(), 303);
    // The scan ends although Textract does not answer.
    assert_eq!(sample.drained().await?, 0, "dead letters");

    let scanner = sample.system.process("scanner")?;
    scanner.terminate();
    scanner.wait().await?;
    let before = sample.send(picture("expense")).await?;
    assert_eq!(sample.cancel(before).await?.status(), 303);
    sample.system.start_service("scanner")?;
    assert_eq!(sample.drained().await?, 0, "dead letters");
    assert_eq!(sample.textract.calls("expense"), 0, "a cancelled receipt went to Textract");
    for id in [during, before] {
        assert_eq!(sample.see(id).await?["verdict"], "cancelled");
        let gone = sample.http.get(sample.url(&format!("/receipts/{id}/picture"))).send().await?;
        assert_eq!(gone.status(), 404);
    }
    assert_eq!(sample.pictures().await?, Vec::<String>::new());

    let scanned = sample.send(picture("expense")).await?;
    sample.verdict(scanned).await?;
    assert_eq!(sample.cancel(scanned).await?.status(), 409);
    sample.system.stop().await
}
