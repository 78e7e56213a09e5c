//! What is refused, with which answer. Nothing of it is stored.

use super::*;

const MINUTE: i64 = 60;

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// Each case: what was sent, and the answer.
fn cases() -> Vec<(&'static str, Sent, u16, &'static str)> {
    let genuine = Sent::genuine;
    let of = |body: &str| Sent::signed(NEW, "msg_1", body);
    let at = |second: i64| Sent::signed_at(second, NEW, "msg_1", BODY);
    let id = |id: &str| Sent::signed(NEW, id, BODY);
    let signature = genuine().value(SIGNATURE).to_owned();
    let forged = format!("v1,{}", "A".repeat(44));
    let type_is = "with a type of 1 to 128 letters";
    let mut not_text = genuine();
    not_text.body = b"{\"type\":\"\xff\"}".to_vec();
    let mut changed = genuine();
    changed.body.push(b' ');
    let long = "x".repeat(129);
    vec![
        ("unknown source", genuine().to("/webhooks/refunds"), 404, "nothing at this address"),
        ("source of another case", genuine().to("/webhooks/Payments"), 404, "nothing at"),
        ("source that is not UTF-8", genuine().to("/webhooks/%ff"), 404, "nothing at"),
        ("another source's secret", genuine().to("/webhooks/shipping"), 403, "does not match"),
        ("unknown secret", Sent::signed(OTHER, "msg_1", BODY), 403, "does not match"),
        ("changed body", changed, 403, "does not match"),
        ("another id", genuine().with(ID, "msg_2"), 403, "does not match"),
        ("another time", genuine().with(TIME, &(now() - 7).to_string()), 403, "does not match"),
        ("forged signature", genuine().with(SIGNATURE, &forged), 403, "does not match"),
        ("short signature", genuine().with(SIGNATURE, "v1,AAAA"), 403, "does not match"),
        ("long signature", genuine().with(SIGNATURE, &(signature.clone() + "=")), 403, "not match"),
        (
            "unknown version",
            genuine().with(SIGNATURE, &signature.replace("v1", "v2")),
            403,
            "match",
        ),
        ("no version", genuine().with(SIGNATURE, &signature.replace("v1,", "")), 403, "match"),
        ("six minutes old", at(now() - 6 * MINUTE), 403, "more than five minutes ago"),
        ("of 1970", at(0), 403, "more than five minutes ago"),
        ("six minutes ahead", at(now() + 6 * MINUTE), 403, "more than five minutes ahead"),
        ("far ahead", at(999_999_999_999), 403, "more than five minutes ahead"),
        ("time beyond all numbers", genuine().with(TIME, &"9".repeat(30)), 400, "seconds since"),
        ("negative time", at(-1), 400, "seconds since 1970"),
        ("time as text", genuine().with(TIME, "2026-11-26T04:00:00Z"), 400, "seconds since 1970"),
        ("no id", genuine().without(ID), 400, "webhook-id is needed, once"),
        ("no time", genuine().without(TIME), 400, "webhook-timestamp is needed, once"),
        ("no signature", genuine().without(SIGNATURE), 400, "webhook-signature is needed, once"),
        ("empty signature", genuine().with(SIGNATURE, ""), 400, "webhook-signature is needed"),
        ("two ids", genuine().and(ID, "msg_1"), 400, "webhook-id is needed, once"),
        ("two signatures lines", genuine().and(SIGNATURE, &forged), 400, "needed, once"),
        ("empty id", id(""), 400, "webhook-id is needed, once"),
        ("id with a dot", id("msg.1"), 400, "no dot"),
        ("id with a space", id("msg 1"), 400, "visible characters"),
        ("long id", id(&long), 400, "1 to 128 visible characters"),
        ("no media type", genuine().without("content-type"), 415, "Send this as application/json"),
        ("a form", genuine().with("content-type", "text/plain"), 415, "Send this as"),
        ("broken JSON", of("{\"type\":"), 400, "is not valid JSON"),
        ("JSON and more", of("{\"type\":\"a\"} b"), 400, "is not valid JSON"),
        ("empty body", of(""), 400, "is not valid JSON"),
        ("body that is not text", not_text, 403, "does not match"),
        ("an array", of("[\"payment.received\"]"), 422, type_is),
        ("a text", of("\"payment.received\""), 422, type_is),
        ("no type", of("{}"), 422, type_is),
        ("two types", of(r#"{"type":"a","type":"b"}"#), 422, type_is),
        ("type that is a number", of(r#"{"type":7}"#), 422, type_is),
        ("empty type", of(r#"{"type":""}"#), 422, type_is),
        ("type with a line break", of(r#"{"type":"a\nb"}"#), 422, type_is),
        ("long type", of(&format!(r#"{{"type":"{long}"}}"#)), 422, type_is),
        ("a character that SQS refuses", of("{\"type\":\"a\",\"b\":\"\u{fffe}\"}"), 400, "U+FFFE"),
    ]
}

#[tokio::test]
async fn what_is_not_genuine_or_not_readable_has_an_answer_of_one_shape_and_is_not_stored() {
    let mut site = Site::start().await;
    for (name, sent, status, says) in cases() {
        let (answered, body) = site.send(&sent).await;
        assert_eq!(answered.as_u16(), status, "{name}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{name}: {detail}");
        assert_eq!(problem["status"], status, "{name}");
        let mut keys: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
        keys.retain(|key| *key != "errors");
        assert_eq!(keys, ["detail", "status", "title", "type"], "{name}");
        assert!(!body.contains("whsec"), "{name}: {body}");
        println!("{name:32} {status} {detail}");
    }
    assert_eq!(site.items().await, Vec::new());
    assert!(site.webhooks.waiting.try_recv().is_err(), "something would be announced");
}

#[tokio::test]
async fn a_webhook_is_refused_while_too_many_are_being_stored_and_while_dynamodb_is_away() {
    let mut site = Site::start().await;
    let gate = site.webhooks.receiver.gate.clone();
    let places: Vec<_> = (0..crate::MAX_WEBHOOKS).map(|_| gate.enter().unwrap()).collect();
    let (status, body) = site.send(&Sent::genuine()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(body.contains("Too many webhooks are under way"), "{body}");
    // What is not genuine takes no place, so it gets its own answer.
    let (status, _) = site.send(&Sent::genuine().to("/webhooks/shipping")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    drop(places);
    assert_eq!(site.items().await, Vec::new());

    site.dynamodb.delete_table().table_name(&site.table).send().await.unwrap();
    let (status, body) = site.send(&Sent::genuine()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(site.webhooks.waiting.try_recv().is_err());
}
