//! What comes back from the workers, as a browser and as a program see it.

use anyhow::Context as _;
use local::{build, log::Log, process::Process};
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

mod common;

use common::{Bed, LOOK_EVERY, PATIENCE};

type Outcome = anyhow::Result<()>;

/// The events of a stream, each an order as programs see it.
struct Events {
    response: Response,
    read: String,
}

impl Events {
    async fn open(bed: &Bed, url: &str, known: Option<u64>) -> anyhow::Result<Self> {
        let mut request = bed.http.get(format!("{url}/events"));
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
                    // A comment that keeps the connection alive.
                    _ => None,
                };
                self.read = rest.to_owned();
                if let Some((id, order)) = event {
                    let (id, order): (u64, Value) = (id, order);
                    assert_eq!(order["version"], id);
                    return Ok(Some(order));
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.context("no event")??;
            let Some(chunk) = chunk else { return Ok(None) };
            self.read += std::str::from_utf8(&chunk)?;
        }
    }

    async fn collect(mut self) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        while let Some(order) = self.next().await? {
            all.push(order);
        }
        Ok(all)
    }
}

/// The name, the state and the word of each station.
fn stations(order: &Value) -> Vec<[String; 3]> {
    let stations = order["stations"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    stations.map(|it| [text(&it["name"]), text(&it["state"]), text(&it["word"])]).collect()
}

fn is_final(order: &Value) -> bool {
    order["is_final"] == true
}

fn is_fulfilled(order: &Value) -> bool {
    order["stations"][2]["word"] == "fulfilled"
}

#[tokio::test]
async fn an_order_is_followed_live_to_its_coupon() -> Outcome {
    let bed = Bed::start_with(&[("PACE_MS", "100")]).await?;
    let id = bed.order("Ada Lovelace", "120").await?;
    let events = Events::open(&bed, &bed.url(&format!("/orders/{id}")), None).await?;
    let seen = events.collect().await?;
    let versions: Vec<_> = seen.iter().map(|order| order["version"].as_u64()).collect();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    let words: Vec<_> = seen.iter().map(|order| order["state"].as_str().unwrap_or("")).collect();
    for word in ["picked", "packed", "fulfilled"] {
        assert!(words.contains(&word), "no {word} in {words:?}");
    }
    let (last, before) = seen.split_last().context("no events")?;
    assert!(is_final(last) && !before.iter().any(is_final), "{seen:?}");
    let expected = [
        ["stored", "done", "stored"],
        ["announced", "done", "announced"],
        ["fulfilment", "done", "fulfilled"],
        ["promotion", "done", "granted"],
    ];
    assert_eq!(stations(last), expected);
    let attempt = last["stations"][2]["attempts"][0].as_str().unwrap_or_default();
    for step in ["Attempt 1: started ", "picked ", "packed ", "shipped ", "fulfilled "] {
        assert!(attempt.contains(step), "{attempt}");
    }
    let coupons = bed.items("promotion", "COUPONS_TABLE_NAME").await?;
    assert_eq!(last["coupon"]["code"].as_str(), coupons[0]["code"].as_s().ok().map(String::as_str));
    assert_eq!(last["coupon"]["percent"], 20);
    assert_eq!(bed.see(&id).await?, *last);

    let page = bed.http.get(bed.url(&format!("/orders/{id}"))).header("accept", "text/html");
    let page = page.send().await?.text().await?;
    let code = last["coupon"]["code"].as_str().unwrap_or("?");
    assert!(page.contains(code) && !page.contains("http-equiv"), "{page}");
    bed.system.stop().await
}

#[tokio::test]
async fn an_order_below_80_is_done_when_it_is_fulfilled() -> Outcome {
    let bed = Bed::start().await?;
    let id = bed.order("Ada", "79.99").await?;
    let order = bed.see_until(&id, is_final).await?;
    let names: Vec<_> = stations(&order).into_iter().map(|[name, ..]| name).collect();
    assert_eq!(names, ["stored", "announced", "fulfilment"]);
    assert_eq!(order["coupon"], Value::Null);
    bed.system.stop().await
}

#[tokio::test]
async fn reports_may_arrive_in_any_order_and_twice() -> Outcome {
    let mut bed = Bed::start().await?;
    bed.end("fulfilment").await?;
    let id = bed.order("Ada", "50").await?;
    bed.see_until(&id, |order| order["state"] == "announced").await?;
    let report = |state: &str, steps: &[&str]| {
        let steps = steps
            .iter()
            .zip(1_700_000_000_000_u64..)
            .map(|(name, at)| json!({ "name": name, "at": at }));
        json!({ "order_id": id, "service": "fulfilment", "attempt": 1, "state": state,
            "steps": steps.collect::<Vec<_>>() })
    };
    let whole = report("done", &["started", "picked", "packed", "shipped", "fulfilled"]);
    bed.tell(&whole).await?;
    let fulfilled = bed.see_until(&id, is_fulfilled).await?;

    for late in
        [&report("working", &["started"]), &whole, &report("working", &["started", "picked"])]
    {
        bed.tell(late).await?;
    }
    // Of an order that is not ours, and of none at all: neither stops what follows.
    let mut stranger = whole.clone();
    stranger["order_id"] = json!("0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f");
    bed.tell(&stranger).await?;
    bed.tell(&json!("no report")).await?;
    bed.status_is_handled(1).await?;
    assert_eq!(bed.see(&id).await?, fulfilled);

    // A second attempt, after the first had succeeded: it is told, and changes nothing else.
    let mut again = whole.clone();
    again["attempt"] = json!(2);
    bed.tell(&again).await?;
    let seen = bed.see_until(&id, |order| order["version"] != fulfilled["version"]).await?;
    assert_eq!(stations(&seen), stations(&fulfilled));
    assert_eq!(seen["stations"][2]["attempts"].as_array().map(Vec::len), Some(2));
    bed.system.stop().await
}

#[tokio::test]
async fn a_coupon_that_is_late_is_pending_and_comes_to_who_waits() -> Outcome {
    let mut bed = Bed::start().await?;
    bed.end("promotion").await?;
    let id = bed.order("Ada", "120").await?;
    let pending = bed.see_until(&id, is_fulfilled).await?;
    assert_eq!(stations(&pending)[3], ["promotion", "waiting", "pending"]);
    assert!(!is_final(&pending));
    let page = bed.http.get(bed.url(&format!("/orders/{id}"))).header("accept", "text/html");
    let page = page.send().await?.text().await?;
    assert!(page.contains("pending") && page.contains("http-equiv=\"refresh\""), "{page}");

    let events = Events::open(&bed, &bed.url(&format!("/orders/{id}")), None).await?;
    bed.system.start_service("promotion")?;
    let seen = events.collect().await?;
    assert!(seen.last().is_some_and(is_final), "{seen:?}");
    bed.system.stop().await
}

#[tokio::test]
async fn a_failed_attempt_is_told_and_so_is_the_one_that_succeeds() -> Outcome {
    let mut bed = Bed::start().await?;
    bed.end("promotion").await?;
    // Nothing listens on port 1.
    let unreachable = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1");
    bed.variables("promotion")?.insert(unreachable.0.into(), unreachable.1.into());
    bed.system.start_service("promotion")?;
    let id = bed.order("Ada", "120").await?;
    let failed = bed.see_until(&id, |order| order["stations"][3]["state"] == "failed").await?;
    let first = failed["stations"][3]["attempts"][0].as_str().unwrap_or_default();
    assert!(first.starts_with("Attempt 1: started ") && first.contains("failed "), "{first}");

    bed.end("promotion").await?;
    bed.variables("promotion")?.remove(unreachable.0);
    bed.system.start_service("promotion")?;
    let granted = bed.see_until(&id, is_final).await?;
    let attempts = granted["stations"][3]["attempts"].as_array().context("no attempts")?;
    assert!(attempts.len() > 1 && attempts[0] == first, "{attempts:?}");
    let last = attempts.last().and_then(Value::as_str).unwrap_or_default();
    assert!(last.contains("granted "), "{attempts:?}");
    bed.system.stop().await
}

#[tokio::test]
async fn any_publisher_shows_what_another_was_told() -> Outcome {
    let mut bed = Bed::start_with(&[("PACE_MS", "100")]).await?;
    // A second one, which never gets a status: its queue is one that nobody sends to.
    let mut variables = bed.variables("publisher")?.clone();
    let dead_end = bed.queue("promotion")?.dead_letter_url.context("no such queue")?;
    variables.insert("STATUS_QUEUE_URL".to_owned(), dead_end);
    variables.insert("PORT".to_owned(), "0".to_owned());
    let binary = build::binary(&build::binaries().await?, "publisher")?;
    let (log, lines) = Log::new();
    let mut other = Process::spawn("other", &binary, &variables, &lines)?;
    let listening = log.wait_for("other", PATIENCE, |line| line.contains("listening")).await?;
    let port = listening.rsplit(':').next().context("no port")?;

    let id = bed.order("Ada", "120").await?;
    let url = format!("http://localhost:{port}/orders/{id}");
    let seen = Events::open(&bed, &url, None).await?.collect().await?;
    let last = seen.last().context("no events")?;
    assert!(is_final(last), "{last}");
    assert_eq!(bed.see(&id).await?, *last);
    other.terminate();
    assert!(other.wait().await?.success());
    bed.system.stop().await
}

#[tokio::test]
async fn who_comes_back_sees_what_was_missed_and_nothing_twice() -> Outcome {
    let bed = Bed::start().await?;
    let id = bed.order("Ada", "50").await?;
    let last = bed.see_until(&id, is_final).await?;
    let version = last["version"].as_u64().context("no version")?;
    let url = bed.url(&format!("/orders/{id}"));
    let missed = Events::open(&bed, &url, Some(version - 1)).await?.collect().await?;
    assert_eq!(missed, [last]);
    // The stream ended because the order is settled. A browser that knows it does not ask again.
    let events = bed.http.get(format!("{url}/events")).header("last-event-id", version);
    assert_eq!(events.send().await?.status(), StatusCode::NO_CONTENT);
    let nobody = bed.url("/orders/0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f/events");
    assert_eq!(bed.http.get(nobody).send().await?.status(), StatusCode::NOT_FOUND);
    bed.system.stop().await
}

#[tokio::test]
async fn a_stream_ends_when_its_publisher_is_asked_to() -> Outcome {
    let mut bed = Bed::start().await?;
    bed.end("promotion").await?;
    let id = bed.order("Ada", "120").await?;
    bed.see_until(&id, is_fulfilled).await?;
    let mut events = Events::open(&bed, &bed.url(&format!("/orders/{id}")), None).await?;
    assert!(events.next().await?.is_some());
    bed.end("publisher").await?;
    assert_eq!(events.next().await?, None);
    bed.saw("publisher", &["ended cleanly"]).await?;
    // It did not wait until its patience was over.
    assert_eq!(bed.lines("publisher", "still open"), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_latest_orders_come_first_and_older_ones_by_page() -> Outcome {
    const ORDERS: u32 = 25;
    let bed = Bed::start().await?;
    let none = bed.http.get(bed.url("/orders")).header("accept", "text/html").send().await?;
    assert!(none.text().await?.contains("There are none."));
    let mut placed = Vec::new();
    for number in 1..=ORDERS {
        placed.insert(0, bed.order(&format!("Customer {number}"), &format!("{number}")).await?);
    }
    let mut listed = Vec::new();
    let mut next = Some("/orders".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page: Value = bed.http.get(bed.url(&path)).send().await?.json().await?;
        let orders = page["orders"].as_array().context("no orders")?;
        listed.extend(orders.iter().filter_map(|it| Some(it["id"].as_str()?.to_owned())));
        next = page["next"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!((listed, pages), (placed.clone(), 2));

    bed.see_until(&placed[0], is_final).await?;
    let page = bed.http.get(bed.url("/orders")).header("accept", "text/html").send().await?;
    let page = page.text().await?;
    for shown in ["Customer 25", "25.00", "fulfilled", &placed[0], "rel=\"next\""] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    for wrong in ["x", "1-2", "", "1&before=2"] {
        let answer = bed.http.get(bed.url(&format!("/orders?before={wrong}"))).send().await?;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong:?}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
    bed.system.stop().await
}

#[tokio::test]
async fn the_picture_shows_filters_depths_and_where_each_order_is() -> Outcome {
    let mut bed = Bed::start().await?;
    bed.end("promotion").await?;
    let (small, large) = (bed.order("Ada", "50").await?, bed.order("Ada", "120").await?);
    for id in [&small, &large] {
        bed.see_until(id, is_fulfilled).await?;
    }
    bed.send_to_dead_letters("promotion", "{ this is no order").await?;
    let picture = timeout(PATIENCE, async {
        loop {
            let picture: Value = bed.http.get(bed.url("/flow")).send().await?.json().await?;
            // It may be a moment old.
            if picture["lanes"][1]["depth"]["dead"] == 1 {
                return anyhow::Ok(picture);
            }
            sleep(LOOK_EVERY).await;
        }
    });
    let picture = picture.await.context("no dead letter is shown")??;
    let lanes = [("fulfilment", "every order", 0), ("promotion", PROMOTION_FILTER, 1)];
    for (lane, (service, filter, waiting)) in lanes.into_iter().enumerate() {
        let lane = &picture["lanes"][lane];
        assert_eq!((&lane["service"], &lane["filter"]), (&json!(service), &json!(filter)));
        assert_eq!(lane["depth"]["waiting"], waiting, "{lane}");
    }
    let dots = picture["dots"].as_array().context("no dots")?;
    let dot = |id: &str, service: &str| {
        let mut of_order = dots.iter().filter(|dot| dot["order"] == *id);
        of_order.find(|dot| dot["service"] == *service).map(|dot| dot["state"].clone())
    };
    assert_eq!(dot(&small, "fulfilment"), Some(json!("done")));
    assert_eq!(dot(&small, "promotion"), None);
    assert_eq!(dot(&large, "fulfilment"), Some(json!("done")));
    assert_eq!(dot(&large, "promotion"), Some(json!("waiting")));
    let page = bed.http.get(bed.url("/flow")).header("accept", "text/html").send().await?;
    let page = page.text().await?;
    assert!(page.contains("<svg") && page.contains(&format!("data-order=\"{large}\"")), "{page}");
    bed.system.stop().await
}

const PROMOTION_FILTER: &str = r#"{"amount":[{"numeric":[">=",80]}]}"#;
