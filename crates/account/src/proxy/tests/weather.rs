//! The weather, as another program changes it.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode};
use tokio::net::TcpListener;

use super::Fixture;
use crate::proxy::{
    Conditions, Proxy, Twice, WEATHER_PATH, Way,
    weather::{How, Weather},
};

const HERE: &str = "127.0.0.1:80";

impl Fixture {
    async fn changing() -> Self {
        Self::start(Conditions { changing: Some(Twice::default()), ..Conditions::default() }).await
    }

    async fn weather(&self, method: Method, host: &str, body: String) -> Response {
        let url = format!("{}{WEATHER_PATH}", self.proxy.url);
        let request = Client::new().request(method, url).header("host", host);
        request.body(body).send().await.unwrap()
    }

    async fn put(&self, of: &str, how: How, seconds: u64) -> Response {
        let weather = Weather { of: of.to_owned(), how, seconds };
        let body = serde_json::to_string(&[weather]).unwrap();
        self.weather(Method::PUT, HERE, body).await
    }

    async fn fails(&self, of: &str, way: Way) {
        let answer = self.put(of, How::Fails(way), 3_600).await;
        assert_eq!(answer.status(), 200);
    }

    /// Ends the weather of these parts, or all, and returns what is left.
    async fn end(&self, parts: &[&str]) -> Vec<String> {
        let body = if parts.is_empty() { String::new() } else { format!("{parts:?}") };
        let left = self.weather(Method::DELETE, "localhost:80", body).await;
        let left: Vec<Weather> = left.json().await.unwrap();
        left.iter().map(|it| format!("{} {}", it.of, it.how)).collect()
    }

    async fn answered(&self) -> StatusCode {
        self.send().await.unwrap().status()
    }
}

#[tokio::test]
async fn weather_meets_the_calls_that_it_names_until_it_is_fair_again() {
    let fixture = Fixture::changing().await;
    let answer = fixture.put("SQS.SendMessage", How::Fails(Way::ServerError), 3_600).await;
    let [set] = answer.json::<[Weather; 1]>().await.unwrap();
    assert_eq!(set.to_string(), "SQS.SendMessage is 5xx for 3600 s");
    assert_eq!(fixture.answered().await, 500);
    // The same part, in another way.
    fixture.fails("SQS.SendMessage", Way::Throttled).await;
    assert_eq!(fixture.answered().await, 400);
    assert!(fixture.end(&[]).await.is_empty());
    assert_eq!(fixture.answered().await, 200);
}

#[tokio::test]
async fn each_part_fails_and_recovers_by_itself_and_the_narrowest_one_decides() {
    let fixture = Fixture::changing().await;
    fixture.fails("SQS.SendMessage", Way::ServerError).await;
    fixture.fails("everything", Way::Denied).await;
    fixture.fails("SQS", Way::Throttled).await;
    fixture.fails("couponsTable", Way::Slow).await;
    assert_eq!(fixture.answered().await, 500);
    let left = fixture.end(&["SQS.SendMessage", "couponsTable"]).await;
    assert_eq!(left, ["SQS throttled", "everything denied"]);
    assert_eq!(fixture.answered().await, 400);
    assert_eq!(fixture.end(&["SQS"]).await, ["everything denied"]);
    assert_eq!(fixture.answered().await, 403);
    assert!(fixture.end(&["everything"]).await.is_empty());
    assert_eq!(fixture.answered().await, 200);
}

#[tokio::test]
async fn weather_ends_by_itself_and_a_newer_one_lasts_its_own_time() {
    let fixture = Fixture::changing().await;
    fixture.put("everything", How::Fails(Way::ServerError), 1).await;
    fixture.put("everything", How::Fails(Way::ServerError), 2).await;
    let started = Instant::now();
    while fixture.answered().await == 500 {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not end");
    }
    assert!(started.elapsed() > Duration::from_millis(1_500), "the first one ended it");
}

#[tokio::test]
async fn weather_that_cannot_be_is_refused_with_the_reason() {
    let fixture = Fixture::changing().await;
    let slow = How::Fails(Way::Slow);
    for (of, how, seconds, why) in [
        ("SQS", slow, 0, "from 1 to 86400 s"),
        ("SQS", slow, u64::MAX, "from 1 to 86400 s"),
        ("SQS", How::Twice(20), 60, "SQS is not delivered"),
        ("deliveries", slow, 60, "can be made twice, and not be slow"),
        ("deliveries", How::Twice(0), 60, "0 is no percentage"),
        ("deliveries", How::Twice(101), 60, "101 is no percentage"),
    ] {
        let refused = fixture.put(of, how, seconds).await;
        assert_eq!(refused.status(), 400, "{of} {how:?} {seconds}");
        let text = refused.text().await.unwrap();
        assert!(text.contains(why), "{text}");
    }
    assert!(fixture.end(&["nothing"]).await.is_empty());
}

#[tokio::test]
async fn only_this_machine_changes_the_weather_and_only_where_that_is_allowed() {
    let fixture = Fixture::changing().await;
    let rain = r#"[{"of": "everything", "how": {"fails": "5xx"}, "seconds": 60}]"#.to_owned();
    let attempt = fixture.weather(Method::PUT, "attacker.example:80", rain.clone()).await;
    assert_eq!(attempt.status(), 403);
    // What a form on another site may send.
    let attempt = fixture.weather(Method::POST, HERE, rain.clone()).await;
    assert_eq!(attempt.status(), 405);
    let nonsense = fixture.weather(Method::PUT, HERE, "{}".to_owned()).await;
    assert_eq!(nonsense.status(), 400);
    assert_eq!(fixture.answered().await, 200);

    let fixture = Fixture::start(Conditions::default()).await;
    fixture.weather(Method::PUT, HERE, rain.clone()).await;
    assert_eq!(fixture.effects(), 1, "it is a call like any other");
    assert_eq!(fixture.answered().await, 200);

    let fixture = Fixture::changing().await;
    fixture.weather(Method::PUT, HERE, rain).await;
    assert_eq!(fixture.answered().await, 500, "the same request is one that works");
}

/// Linux has all of 127.0.0.0/8, so that one of its addresses can stand for another machine.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn other_machines_may_call_through_a_proxy_and_not_change_its_weather() {
    let behind = Fixture::start(Conditions::default()).await;
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let changing = Some(Twice::default());
    let conditions = Conditions { changing, ..Conditions::default() };
    let proxy = Proxy::on(listener, &behind.proxy.url, conditions).unwrap();
    let url = format!("{}{WEATHER_PATH}", proxy.url);
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let other = Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, 2]));
    let other = other.build().unwrap();
    let rain = r#"[{"of": "everything", "how": {"fails": "throttled"}, "seconds": 60}]"#;
    let put = |client: &Client| client.put(&url).header("host", HERE).body(rain).send();
    let call = || other.post(&proxy.url).header("X-Amz-Target", "AmazonSQS.SendMessage").send();

    assert_eq!(put(&other).await.unwrap().status(), 403);
    assert_eq!(call().await.unwrap().status(), 200);
    assert_eq!(put(&Client::new()).await.unwrap().status(), 200);
    assert_eq!(call().await.unwrap().status(), 400);
}
