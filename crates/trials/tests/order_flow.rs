//! The product as its users see it: the real binaries over HTTP, on the embedded endpoint.

use anyhow::Context as _;
use orders::event::ORDERS_TOPIC;
use pubsub::topic::{Attribute, Message, Topic};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

mod test_system;

use test_system::{LOOK_EVERY, TIMEOUT, TestSystem, field};

type Outcome = anyhow::Result<()>;

#[tokio::test]
async fn an_order_reaches_fulfilment_and_with_80_or_more_also_promotion() -> Outcome {
    let test = TestSystem::start().await?;
    let small = test.order("Ada Lovelace", "79.99").await?;
    test.logged("fulfilment", &["order fulfilled", &small]).await?;
    for total in ["80", "80.01", "150"] {
        let id = test.order("Grace Hopper", total).await?;
        test.logged("fulfilment", &["order fulfilled", &id]).await?;
        let coupon = test.logged("promotion", &["coupon granted", &id]).await?;
        assert!(coupon.contains("coupon.percent=20"), "{coupon}");
    }
    // Promotion logs every order that it receives, and it has received later ones.
    assert_eq!(test.lines("promotion", &small), Vec::<String>::new());
    assert_eq!(test.items("promotion", "COUPONS_TABLE_NAME").await?.len(), 3);
    test.system.stop().await
}

#[tokio::test]
async fn the_same_form_sent_twice_is_one_order() -> Outcome {
    let test = TestSystem::start().await?;
    let id = test.open_form().await?;
    let first = test.post_form(&id, "Ada", "120").await?;
    let second = test.post_form(&id, " Ada ", "120.00").await?;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    assert_eq!(second.status(), StatusCode::SEE_OTHER);
    assert_eq!(first.headers()[header::LOCATION], second.headers()[header::LOCATION]);

    let other = test.post_form(&id, "Ada", "120.01").await?;
    assert_eq!(other.status(), StatusCode::CONFLICT);
    let stored = test.items("publisher", "ORDERS_TABLE_NAME").await?;
    assert_eq!(stored.len(), 1, "{stored:?}");

    test.logged("promotion", &["coupon granted", &id]).await?;
    assert_eq!(test.lines("publisher", "order announced").len(), 1);
    test.system.stop().await
}

#[tokio::test]
async fn an_unreadable_message_becomes_a_dead_letter_and_the_next_order_is_handled() -> Outcome {
    let test = TestSystem::start().await?;
    for service in ["fulfilment", "promotion"] {
        test.send_to_queue(service, "{ this is not an order").await?;
        test.dead_letters(service, 1).await?;
        assert_eq!(test.lines(service, "this is not an order"), Vec::<String>::new());
    }
    let id = test.order("Ada", "150").await?;
    test.logged("fulfilment", &["order fulfilled", &id]).await?;
    test.logged("promotion", &["coupon granted", &id]).await?;
    test.system.stop().await
}

#[tokio::test]
async fn two_hundred_copies_of_a_message_result_in_one_coupon() -> Outcome {
    const COPIES: usize = 200;
    let test = TestSystem::start().await?;
    let body = json!({ "id": "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f", "customer": "Ada",
        "amount": "120.00" });
    for _ in 0..COPIES {
        test.send_to_queue("promotion", &body.to_string()).await?;
    }
    let granted = || test.lines("promotion", "coupon granted");
    let all = timeout(TIMEOUT, async {
        while granted().len() < COPIES {
            sleep(LOOK_EVERY).await;
        }
    });
    all.await.with_context(|| format!("{} of {COPIES} copies were handled", granted().len()))?;
    let coupons = test.items("promotion", "COUPONS_TABLE_NAME").await?;
    assert_eq!(coupons.len(), 1, "one order earned {coupons:?}");
    // Who has a code can use it, so no log has one.
    let code = coupons[0]["code"].as_s().map_err(|_| anyhow::anyhow!("no code"))?;
    assert_eq!(test.lines("promotion", code), Vec::<String>::new());
    test.system.stop().await
}

#[tokio::test]
async fn messages_of_the_python_original_are_read() -> Outcome {
    let test = TestSystem::start().await?;
    let publisher = test.system.account.service("publisher").context("no publisher")?;
    let arn = publisher.topic_arn(ORDERS_TOPIC).context("no topic")?.to_owned();
    // It sends neither an id nor a type.
    let message = Message {
        body: r#"{"customer": "Guido", "amount": "99.5"}"#.to_owned(),
        attributes: vec![("amount", Attribute::Number("99.5".to_owned()))],
        group: "Guido".to_owned(),
        deduplication_id: String::new(),
    };
    Topic::new(&test.aws, arn).publish(message).await?;
    test.logged("fulfilment", &["order fulfilled", "amount=99.50"]).await?;
    test.logged("promotion", &["coupon granted"]).await?;
    test.system.stop().await
}

#[tokio::test]
async fn fulfilment_receives_a_ping() -> Outcome {
    let test = TestSystem::start().await?;
    let health = test.http.get(test.url("/ping")).send().await?;
    assert_eq!(health.status(), StatusCode::OK);
    let ping: Value = test.http.post(test.url("/ping")).send().await?.json().await?;
    let message = ping["message"].as_str().unwrap_or_default();
    let letters = message.strip_prefix("Hello! Message sent: ").unwrap_or_default();
    assert!(letters.len() == 5 && letters.bytes().all(|b| b.is_ascii_lowercase()), "{message}");
    test.logged("fulfilment", &[message]).await?;
    test.system.stop().await
}

#[tokio::test]
async fn every_service_exits_cleanly_after_sigterm() -> Outcome {
    let mut test = TestSystem::start().await?;
    for name in &test.system.names() {
        let process = test.system.process(name)?;
        process.terminate();
        let status = process.wait().await?;
        assert!(status.success(), "{name} exited with {status}");
        test.logged(name, &["exited cleanly"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_mistake_in_the_form_is_explained_at_its_field() -> Outcome {
    let test = TestSystem::start().await?;
    let cases = [
        ("", "80", "Enter the customer&#39;s name."),
        ("   ", "80", "Enter the customer&#39;s name."),
        (&"x".repeat(101), "80", "A name has at most 100 characters."),
        ("Ada\u{7}", "80", "A name has no line breaks or other control characters."),
        ("Ada", "", "Enter the order&#39;s total."),
        ("Ada", "0", "A total is more than 0."),
        ("Ada", "-1", "A total is a number such as 80 or 79.99."),
        ("Ada", "1e3", "A total is a number such as 80 or 79.99."),
        ("Ada", "79.999", "A total has at most two decimals."),
        ("Ada", "1000000000", "A total is less than 1,000,000,000."),
    ];
    for (customer, total, sentence) in cases {
        let id = test.open_form().await?;
        let answer = test.post_form(&id, customer, total).await?;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{customer:?} {total:?}");
        let page = answer.text().await?;
        assert!(page.contains(sentence), "no {sentence:?} in {page}");
        assert_eq!(field(&page, "id")?, id);
        assert_eq!(field(&page, "total")?, total);
    }
    let escaped = test.post_form(&test.open_form().await?, "<script>", "no").await?.text().await?;
    assert!(!escaped.contains("<script>"), "{escaped}");
    let stored = test.items("publisher", "ORDERS_TABLE_NAME").await?;
    assert!(stored.is_empty(), "{stored:?}");
    assert_eq!(test.lines("publisher", "order announced"), Vec::<String>::new());
    test.system.stop().await
}

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

#[tokio::test]
async fn programs_get_json_and_problem_documents() -> Outcome {
    let test = TestSystem::start().await?;
    let order = json!({ "customer": "Ada", "amount": 80.01 });
    let post = |body: &Value| {
        let request = test.http.post(test.url("/orders")).header("idempotency-key", KEY);
        request.json(body).send()
    };
    let created = post(&order).await?;
    assert_eq!(created.status(), StatusCode::CREATED, "a new order");
    let location = created.headers()[header::LOCATION].to_str()?.to_owned();
    let created: Value = created.json().await?;
    assert_eq!(created["amount"], "80.01");
    assert_eq!(location, format!("/orders/{}", created["id"].as_str().unwrap_or_default()));

    let again = post(&order).await?;
    assert_eq!(again.status(), StatusCode::OK, "the same order, sent again");
    assert_eq!(identity(&again.json().await?), identity(&created));
    let other = post(&json!({ "customer": "Bob", "amount": 80.01 })).await?;
    assert_eq!(other.status(), StatusCode::CREATED, "another order with the same key");
    assert_ne!(other.json::<Value>().await?["id"], created["id"]);

    let shown = test.http.get(test.url(&location)).send().await?;
    assert_eq!(identity(&shown.json().await?), identity(&created));
    let page = test.http.get(test.url(&location)).header("accept", "text/html").send().await?;
    let page = page.text().await?;
    assert!(page.contains("Thank you, Ada"), "a browser gets {page}");

    let wrong = problem(post(&json!({ "customer": "", "amount": "1e3" })).await?, 422).await?;
    assert_eq!(wrong["errors"]["customer"], "Enter the customer's name.");
    assert_eq!(wrong["errors"]["amount"], "A total is a number such as 80 or 79.99.");
    let large = json!({ "customer": "x".repeat(17 * 1024), "amount": 1 });
    problem(post(&large).await?, 413).await?;
    let plain = test.http.post(test.url("/orders")).body("hello").send().await?;
    problem(plain, 415).await?;
    let unknown = "/orders/0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";
    problem(test.http.get(test.url(unknown)).send().await?, 404).await?;
    problem(test.http.get(test.url("/nowhere")).send().await?, 404).await?;
    let delete = test.http.delete(test.url("/orders")).send().await?;
    assert_eq!(delete.headers()[header::ALLOW], "GET,HEAD,POST");
    problem(delete, 405).await?;
    let foreign = test.http.post(test.url("/")).header("sec-fetch-site", "cross-site");
    problem(foreign.form(&[("customer", "Eve"), ("total", "80")]).send().await?, 403).await?;
    test.system.stop().await
}

/// The fields of an order that never change.
fn identity(order: &Value) -> [Value; 4] {
    ["id", "customer", "amount", "placed_at"].map(|name| order[name].clone())
}

async fn problem(answer: reqwest::Response, status: u16) -> anyhow::Result<Value> {
    let (answered, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await?;
    assert_eq!(answered, status, "{text}");
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json", "{text}");
    let body: Value = serde_json::from_str(&text)?;
    assert_eq!(body["status"], status, "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{body}");
    Ok(body)
}

#[tokio::test]
async fn while_dynamodb_is_unavailable_the_same_form_can_be_sent_again() -> Outcome {
    let mut test = TestSystem::start().await?;
    let id = test.open_form().await?;
    let publisher = test.system.account.services.iter_mut().find(|it| it.name == "publisher");
    let variables = &mut publisher.expect("there is a publisher").variables;
    // Nothing listens on port 1.
    let reachable =
        variables.insert("AWS_ENDPOINT_URL_DYNAMODB".into(), "http://127.0.0.1:1".into());
    assert_eq!(reachable, None);
    test.system.start_service("publisher")?;
    test.system.healthy().await?;
    let answer = test.post_form(&id, "Ada", "120").await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let headers = answer.headers();
    assert!(headers.contains_key(header::RETRY_AFTER), "nothing says when to retry: {headers:?}");
    let page = answer.text().await?;
    assert!(page.contains("Sending again is safe"), "{page}");
    assert_eq!((field(&page, "id")?, field(&page, "total")?), (id.as_str(), "120"));
    test.system.stop().await
}
