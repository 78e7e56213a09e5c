//! From the picture to the verdict.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::{
    Outcome,
    sample::{Differences, Sample},
    textract::{picture, png},
};

fn steps(receipt: &Value) -> Vec<&str> {
    let steps = receipt["steps"].as_array().into_iter().flatten();
    steps.filter_map(|step| step["name"].as_str()).collect()
}

#[tokio::test]
async fn a_receipt_goes_from_stored_to_its_verdict() -> Outcome {
    let sample = Sample::start(Differences { like_aws: Some(1), ..Differences::default() }).await?;
    // As an expense, and as text that Textract does not understand.
    for (text, shop, total, lines) in [
        ("expense", "CORNER SHOP", "4.20", json!([["Milk", "1.20"], ["Dark bread", "3.00"]])),
        ("text", "THE BAKERY", "7.00", json!([["Cake", "7.00"]])),
    ] {
        let id = sample.send(picture(text)).await?;
        let receipt = sample.verdict(id).await?;
        let read = &receipt["verdict"]["accepted"];
        assert_eq!((&read["merchant"], &read["total"]), (&json!(shop), &json!(total)), "{receipt}");
        let found = read["lines"].as_array().unwrap().iter();
        let found: Vec<_> = found.map(|line| json!([line["item"], line["price"]])).collect();
        assert_eq!(Value::from(found), lines);
        let count = lines.as_array().unwrap().len();
        let found = if count == 1 { "found 1 line".into() } else { format!("found {count} lines") };
        let all = ["stored", "waiting", "reading", &found, "checked", "done"];
        assert_eq!((steps(&receipt), receipt["percent"].as_u64()), (all.to_vec(), Some(100)));
        let page = sample.http.get(sample.url(&format!("/receipts/{id}")));
        let page = page.header("accept", "text/html").send().await?.text().await?;
        assert!(page.contains(shop) && page.contains(total), "{page}");
    }
    assert_eq!(sample.drained().await?, 0, "dead letters");
    sample.system.stop().await
}

#[tokio::test]
async fn what_cannot_be_accepted_is_rejected_in_words_for_the_person() -> Outcome {
    let sample = Sample::start(Differences::default()).await?;
    for (picture, reason) in [
        (picture("wrong"), "The total says 5.20, and the 2 lines that were found add up to 4.20."),
        (picture("refused"), "The file cannot be read. A PDF must have one page and no password."),
        (format!("{:<33}refused", "%PDF-1.4").into_bytes(), "The file cannot be read. A PDF must"),
        // A bomb: a picture of a few bytes that would need 30 GB.
        (png(100_000, 100_000, "bomb"), "The picture has 100000 × 100000 pixels. Send one of"),
        (b"\x89PNG\r\n\x1a\n and no more".to_vec(), "The file is damaged."),
    ] {
        let id = sample.send(picture).await?;
        let receipt = sample.verdict(id).await?;
        let why = receipt["verdict"]["rejected"].as_str().unwrap_or_default();
        assert!(why.starts_with(reason), "{receipt}");
    }
    assert_eq!(sample.textract.calls("bomb"), 0, "the bomb went to Textract");
    assert_eq!(sample.drained().await?, 0, "dead letters");
    sample.system.stop().await
}

#[tokio::test]
async fn a_receipt_waits_while_textract_is_unavailable_and_the_page_says_why() -> Outcome {
    let sample = Sample::start(Differences::default()).await?;
    sample.textract.is_down.store(true, Ordering::SeqCst);
    let id = sample.send(picture("expense")).await?;
    let waiting = sample.see_until(id, |receipt| !receipt["held_up"].is_null()).await?;
    let why = waiting["held_up"].as_str().unwrap_or_default();
    assert!(why.contains("Textract is being repaired"), "{why}");
    assert_eq!((&waiting["state"], &waiting["verdict"]), (&json!("held up"), &Value::Null));
    sample.textract.is_down.store(false, Ordering::SeqCst);
    let receipt = sample.verdict(id).await?;
    assert!(receipt["verdict"]["accepted"].is_object(), "{receipt}");
    assert_eq!((&receipt["held_up"], sample.drained().await?), (&Value::Null, 0));
    sample.system.stop().await
}
