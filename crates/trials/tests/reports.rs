//! The workers' reports, as browsers and programs see them.

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use local::{build, log::Log, process::Process};
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

mod test_system;

use test_system::{LOOK_EVERY, TIMEOUT, TestSystem};

type Outcome = anyhow::Result<()>;

/// The events of a stream. Each is the order as JSON.
struct Events {
    response: Response,
    read: String,
}

impl Events {
    async fn open(test: &TestSystem, url: &str, known: Option<u64>) -> anyhow::Result<Self> {
        let mut request = test.http.get(format!("{url}/events"));
        if let Some(known) = known {
            request = request.header("last-event-id", known);
        }
        let response = request.send().await?.error_for_status()?;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache, no-transform");
        Ok(Self { response, read: String::new() })
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            while let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                let event = match (field("id: "), field("data: ")) {
                    (Some(id), Some(data)) => Some((id.parse()?, serde_json::from_str(data)?)),
                    // A comment, which keeps the connection alive.
                    _ => None,
                };
                self.read = rest.to_owned();
                if let Some((id, order)) = event {
                    let (id, order): (u64, Value) = (id, order);
                    assert_eq!(order["version"], id);
                    return Ok(Some(order));
                }
            }
            let chunk = timeout(TIMEOUT, self.response.chunk()).await.context("no event")??;
            let Some(chunk) = chunk else { return Ok(None) };
            self.read += std::str::from_utf8(&chunk)?;
        }
    }

    /// The events up to the first that `wanted` accepts.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        while let Some(order) = self.next().await? {
            let found = wanted(&order);
            all.push(order);
            if found {
                return Ok(all);
            }
        }
        anyhow::bail!("the stream ended after {all:#?}")
    }
}

/// The station `name` of an order; null if it has none.
fn station<'a>(order: &'a Value, name: &str) -> &'a Value {
    let mut stations = order["stations"].as_array().into_iter().flatten();
    stations.find(|station| station["name"] == name).unwrap_or(&Value::Null)
}

/// The phase and the word of a station.
fn phase(order: &Value, name: &str) -> [String; 2] {
    let station = station(order, name);
    [&station["state"], &station["word"]].map(|it| it.as_str().unwrap_or_default().to_owned())
}

fn is_done(order: &Value) -> bool {
    order["is_done"] == true
}

fn has_coupon(order: &Value) -> bool {
    is_done(order) && phase(order, "promotion") == ["done", "granted"]
}

#[tokio::test]
async fn an_order_is_followed_live_to_its_coupon() -> Outcome {
    // A report may be a second late, and one that the next overtakes is never shown.
    let test = TestSystem::start_with(&[("PACE_MS", "1200")]).await?;
    let id = test.order("Ada Lovelace", "120").await?;
    let mut events = Events::open(&test, &test.url(&format!("/orders/{id}")), None).await?;
    let seen = events.until(has_coupon).await?;
    let versions: Vec<_> = seen.iter().map(|order| order["version"].as_u64()).collect();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    let words: Vec<_> = seen.iter().map(|order| order["state"].as_str().unwrap_or("")).collect();
    for word in ["picked", "packed", "fulfilled"] {
        assert!(words.contains(&word), "no {word} in {words:?}");
    }
    let last = seen.last().context("no events")?;
    for (name, word) in [
        ("stored", "stored"),
        ("announced", "announced"),
        ("fulfilment", "fulfilled"),
        ("promotion", "granted"),
    ] {
        assert_eq!(phase(last, name), ["done", word], "the station {name} of {last}");
    }
    let attempt = station(last, "fulfilment")["attempts"][0].as_str().unwrap_or_default();
    for step in ["Attempt 1: started ", "picked ", "packed ", "shipped ", "fulfilled "] {
        assert!(attempt.contains(step), "{attempt}");
    }
    let coupons = test.items("promotion", "COUPONS_TABLE_NAME").await?;
    let attachment = &station(last, "promotion")["attachments"][0];
    let code = attachment["code"].as_str().context("no code")?;
    assert_eq!(Ok(code), coupons[0]["code"].as_s().map(String::as_str));
    assert_eq!(attachment["label"], "20 % off your next order");

    let page = test.http.get(test.url(&format!("/orders/{id}"))).header("accept", "text/html");
    let page = page.send().await?.text().await?;
    assert!(page.contains(code) && page.contains("data-done=\"true\""), "{page}");
    test.system.stop().await
}

#[tokio::test]
async fn an_order_below_80_is_done_when_it_is_fulfilled() -> Outcome {
    let test = TestSystem::start().await?;
    let id = test.order("Ada", "79.99").await?;
    let order = test.see_until(&id, is_done).await?;
    assert_eq!(phase(&order, "fulfilment"), ["done", "fulfilled"]);
    assert_eq!(station(&order, "promotion"), &Value::Null);
    test.system.stop().await
}

#[tokio::test]
async fn reports_may_arrive_in_any_order_and_twice() -> Outcome {
    let mut test = TestSystem::start().await?;
    test.stop("fulfilment").await?;
    let id = test.order("Ada", "50").await?;
    test.see_until(&id, |order| order["state"] == "announced").await?;
    let report = |state: &str, steps: &[&str]| {
        let steps = steps
            .iter()
            .zip(1_700_000_000_000_u64..)
            .map(|(name, at)| json!({ "name": name, "at": at }));
        json!({ "order_id": id, "service": "fulfilment", "attempt": 1, "state": state,
            "steps": steps.collect::<Vec<_>>() })
    };
    let whole = report("done", &["started", "picked", "packed", "shipped", "fulfilled"]);
    test.report(&whole).await?;
    let fulfilled = test.see_until(&id, is_done).await?;

    for late in
        [&report("working", &["started"]), &whole, &report("working", &["started", "picked"])]
    {
        test.report(late).await?;
    }
    // A report on an unknown order or an unreadable one does not stop the next.
    let mut unknown = whole.clone();
    unknown["order_id"] = json!("0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f");
    test.report(&unknown).await?;
    test.report(&json!("not a report")).await?;
    test.status_is_handled(1).await?;
    let unchanged = test.see(&id).await?;
    assert_eq!(station(&unchanged, "fulfilment"), station(&fulfilled, "fulfilment"));

    // A second attempt after a success is listed, and changes nothing else.
    let mut again = whole.clone();
    again["attempt"] = json!(2);
    test.report(&again).await?;
    let attempts =
        |order: &Value| station(order, "fulfilment")["attempts"].as_array().map(Vec::len);
    let seen = test.see_until(&id, |order| attempts(order) == Some(2)).await?;
    assert_eq!(phase(&seen, "fulfilment"), phase(&fulfilled, "fulfilment"));
    test.system.stop().await
}

#[tokio::test]
async fn a_coupon_granted_after_the_order_is_done_appears_on_an_open_page() -> Outcome {
    let mut test = TestSystem::start().await?;
    test.stop("promotion").await?;
    let id = test.order("Ada", "120").await?;
    // The publisher does not know promotion before its first report, so the order is done without.
    let done = test.see_until(&id, is_done).await?;
    assert_eq!(station(&done, "promotion"), &Value::Null);

    let mut events = Events::open(&test, &test.url(&format!("/orders/{id}")), None).await?;
    let first = events.next().await?;
    assert!(first.as_ref().is_some_and(is_done), "a viewer of a done order sees {first:?}");
    test.system.start_service("promotion")?;
    events.until(has_coupon).await?;
    test.system.stop().await
}

#[tokio::test]
async fn a_failed_attempt_is_shown_and_so_is_the_one_that_succeeds() -> Outcome {
    let mut test = TestSystem::start().await?;
    test.stop("promotion").await?;
    // Nothing listens on port 1.
    let unreachable = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1");
    test.variables("promotion")?.insert(unreachable.0.into(), unreachable.1.into());
    test.system.start_service("promotion")?;
    let id = test.order("Ada", "120").await?;
    let failed = |order: &Value| station(order, "promotion")["state"] == "failed";
    let failed = test.see_until(&id, failed).await?;
    let first = station(&failed, "promotion")["attempts"][0].as_str().unwrap_or_default();
    assert!(first.starts_with("Attempt 1: started ") && first.contains("failed "), "{first}");

    test.stop("promotion").await?;
    test.variables("promotion")?.remove(unreachable.0);
    test.system.start_service("promotion")?;
    let granted = test.see_until(&id, has_coupon).await?;
    let attempts = station(&granted, "promotion")["attempts"].as_array().context("no attempts")?;
    // A copy of the message may have been attempted at the same time.
    assert!(attempts.len() > 1 && attempts.iter().any(|it| it == first), "{attempts:?}");
    let last = attempts.last().and_then(Value::as_str).unwrap_or_default();
    assert!(last.contains("granted "), "{attempts:?}");
    test.system.stop().await
}

#[tokio::test]
async fn any_publisher_shows_the_reports_that_another_received() -> Outcome {
    let mut test = TestSystem::start_with(&[("PACE_MS", "100")]).await?;
    // A second publisher, which receives no reports: its queue stays empty.
    let mut variables = test.variables("publisher")?.clone();
    let dead_end = test.queue("promotion")?.dead_letter_url.context("no such queue")?;
    variables.insert("STATUS_QUEUE_URL".to_owned(), dead_end);
    variables.insert("PORT".to_owned(), "0".to_owned());
    let binary = build::binary(&build::binaries().await?, "publisher")?;
    let (log, lines) = Log::new();
    let mut other = Process::spawn("other", &binary, &variables, &lines)?;
    let listening = log.wait_for("other", TIMEOUT, |line| line.contains("listening")).await?;
    let port = listening.rsplit(':').next().context("no port")?;

    let id = test.order("Ada", "120").await?;
    let url = format!("http://localhost:{port}/orders/{id}");
    Events::open(&test, &url, None).await?.until(has_coupon).await?;
    other.terminate();
    let status = other.wait().await?;
    assert!(status.success(), "after SIGTERM, the second publisher exited with {status}");
    test.system.stop().await
}

#[tokio::test]
async fn a_browser_that_reconnects_gets_what_it_missed_and_nothing_twice() -> Outcome {
    let mut test = TestSystem::start().await?;
    test.stop_workers_except("fulfilment").await?;
    let id = test.order("Ada", "50").await?;
    let last = test.see_until(&id, is_done).await?;
    let version = last["version"].as_u64().context("no version")?;
    let url = test.url(&format!("/orders/{id}"));
    let missed = Events::open(&test, &url, Some(version - 1)).await?.next().await?;
    assert_eq!(missed.map(|order| order["version"].clone()), Some(json!(version)));

    let mut up_to_date = Events::open(&test, &url, Some(version)).await?;
    let steps = [json!({ "name": "started", "at": 1_700_000_000_000_u64 })];
    test.report(&json!({ "order_id": id, "service": "audit", "attempt": 1, "state": "done",
        "steps": steps }))
        .await?;
    let next = up_to_date.next().await?.context("no event")?;
    assert_eq!(phase(&next, "audit"), ["done", "started"]);
    let unknown = test.url("/orders/0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f/events");
    assert_eq!(test.http.get(unknown).send().await?.status(), StatusCode::NOT_FOUND);
    test.system.stop().await
}

#[tokio::test]
async fn a_settled_order_has_no_stream() -> Outcome {
    let test = TestSystem::start().await?;
    let (id, long_ago) = ("0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f", "1700000000000");
    let report = json!({ "order_id": id, "service": "fulfilment", "attempt": 1, "state": "done",
        "steps": [{ "name": "fulfilled", "at": 1_700_000_000_000_u64 }] });
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    let report = [("steps", number("1")), ("told", text(&report.to_string()))];
    let report = report.map(|(name, value)| (name.to_owned(), value));
    aws_sdk_dynamodb::Client::new(&test.aws)
        .put_item()
        .table_name(test.variable("publisher", "ORDERS_TABLE_NAME")?)
        .item("id", text(id))
        .item("customer", text("Ada"))
        .item("amount", number("50.00"))
        .item("placed_at", number(long_ago))
        .item("announced_at", number(long_ago))
        .item("version", number("3"))
        .item(format!("report fulfilment {long_ago} 1"), AttributeValue::M(report.into()))
        .send()
        .await?;
    let url = test.url(&format!("/orders/{id}"));
    let mut events = Events::open(&test, &url, None).await?;
    let first = events.next().await?;
    assert!(first.as_ref().is_some_and(is_done), "a viewer of a done order sees {first:?}");
    assert_eq!(events.next().await?, None);
    // This status makes a browser stop reconnecting.
    let again = test.http.get(format!("{url}/events")).header("last-event-id", 3).send().await?;
    assert_eq!(again.status(), StatusCode::NO_CONTENT, "the browser reconnects for ever");
    let page = test.http.get(url).header("accept", "text/html").send().await?.text().await?;
    assert!(!page.contains("http-equiv"), "{page}");
    test.system.stop().await
}

#[tokio::test]
async fn a_stream_ends_when_its_publisher_gets_sigterm() -> Outcome {
    let mut test = TestSystem::start().await?;
    let id = test.order("Ada", "120").await?;
    test.see_until(&id, has_coupon).await?;
    let mut events = Events::open(&test, &test.url(&format!("/orders/{id}")), None).await?;
    assert!(events.next().await?.is_some(), "the stream of an order ends without the order");
    test.stop("publisher").await?;
    while events.next().await?.is_some() {}
    test.logged("publisher", &["exited cleanly"]).await?;
    // It exited before the deadline of its drain.
    assert_eq!(test.lines("publisher", "still open"), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_latest_orders_are_listed_first_and_in_pages() -> Outcome {
    const ORDERS: u32 = 25;
    let test = TestSystem::start().await?;
    let none = test.http.get(test.url("/orders")).header("accept", "text/html").send().await?;
    let none = none.text().await?;
    assert!(none.contains("There are no orders yet."), "without orders, the page is {none}");
    let mut placed = Vec::new();
    for number in 1..=ORDERS {
        placed.insert(0, test.order(&format!("Customer {number}"), &format!("{number}")).await?);
    }
    test.until_listed(&placed[0]).await?;
    assert_eq!(listed(&test).await?, (placed.clone(), 2));

    test.see_until(&placed[0], is_done).await?;
    let page = test.http.get(test.url("/orders")).header("accept", "text/html").send().await?;
    let page = page.text().await?;
    for shown in ["Customer 25", "25.00", "fulfilled", &placed[0], "rel=\"next\""] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    for wrong in ["x", "1-2", "", "1&before=2"] {
        let answer = test.http.get(test.url(&format!("/orders?before={wrong}"))).send().await?;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong:?}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
    test.system.stop().await
}

/// The ids of all listed orders, and the number of pages.
async fn listed(test: &TestSystem) -> anyhow::Result<(Vec<String>, usize)> {
    let mut listed = Vec::new();
    let mut next = Some("/orders".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page: Value = test.http.get(test.url(&path)).send().await?.json().await?;
        let orders = page["orders"].as_array().context("no orders")?;
        listed.extend(orders.iter().filter_map(|it| Some(it["id"].as_str()?.to_owned())));
        next = page["next"].as_str().map(str::to_owned);
        pages += 1;
    }
    Ok((listed, pages))
}

#[tokio::test]
async fn the_picture_shows_filters_depths_and_where_each_order_is() -> Outcome {
    let mut test = TestSystem::start().await?;
    test.stop("promotion").await?;
    let (small, large) = (test.order("Ada", "50").await?, test.order("Ada", "120").await?);
    for id in [&small, &large] {
        test.see_until(id, is_done).await?;
    }
    test.send_to_dead_letters("promotion", "{ this is not an order").await?;
    let lane = |picture: &Value, service: &str| {
        let mut lanes = picture["lanes"].as_array().into_iter().flatten();
        lanes.find(|lane| lane["service"] == service).cloned().unwrap_or_default()
    };
    let dot = |picture: &Value, id: &str, service: &str| {
        let mut of_order = picture["dots"].as_array().into_iter().flatten();
        let dot = of_order.find(|dot| dot["order"] == *id && dot["service"] == *service);
        dot.map(|dot| dot["state"].clone())
    };
    let picture = timeout(TIMEOUT, async {
        loop {
            let picture: Value = test.http.get(test.url("/flow")).send().await?.json().await?;
            // The picture may be a moment old, the depths are approximate, and the index that
            // lists the orders follows the table late.
            let depths = [("fulfilment", 0, 0), ("promotion", 1, 1)];
            let are_right = depths.iter().all(|(service, waiting, dead)| {
                let depth = &lane(&picture, service)["depth"];
                depth["waiting"] == *waiting && depth["dead"] == *dead
            });
            let is_done = |id| dot(&picture, id, "fulfilment") == Some(json!("done"));
            if are_right && is_done(&small) && is_done(&large) {
                return anyhow::Ok(picture);
            }
            sleep(LOOK_EVERY).await;
        }
    });
    let picture = picture.await.context("the right depths and dots are never shown")??;
    let filters = [("fulfilment", "every order"), ("promotion", PROMOTION_FILTER)];
    for (service, filter) in filters {
        assert_eq!(lane(&picture, service)["filter"], filter);
    }
    // Promotion has not reported: its message counts only in the depth of the queue.
    assert_eq!(dot(&picture, &large, "promotion"), None);
    let page = test.http.get(test.url("/flow")).header("accept", "text/html").send().await?;
    let page = page.text().await?;
    assert!(page.contains("<svg") && page.contains(&format!("data-order=\"{large}\"")), "{page}");
    test.system.stop().await
}

const PROMOTION_FILTER: &str = r#"{"amount":[{"numeric":[">=",80]}]}"#;
