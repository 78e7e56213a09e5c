//! The weather, as another program changes it.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode};

use super::Fixture;
use crate::proxy::{
    Conditions, Way,
    weather::{PATH, Weather},
};

impl Fixture {
    async fn changing() -> Self {
        Self::start(Conditions { changing: true, ..Conditions::default() }).await
    }

    async fn weather(&self, method: Method, host: &str, body: String) -> Response {
        let url = format!("{}{PATH}", self.proxy.url);
        let request = Client::new().request(method, url).header("host", host);
        request.body(body).send().await.unwrap()
    }

    async fn put(&self, of: &str, how: Way, seconds: u64) -> Response {
        let weather = Weather { of: of.to_owned(), how, seconds };
        let body = serde_json::to_string(&weather).unwrap();
        self.weather(Method::PUT, "127.0.0.1:80", body).await
    }

    async fn answered(&self) -> StatusCode {
        self.send().await.unwrap().status()
    }
}

#[tokio::test]
async fn weather_meets_the_calls_that_it_names_until_it_is_fair_again() {
    let fixture = Fixture::changing().await;
    let answer = fixture.put("SQS.SendMessage", Way::ServerError, 3_600).await;
    let set: Weather = answer.json().await.unwrap();
    assert_eq!(set.to_string(), "SQS.SendMessage is 5xx for 3600 s");
    assert_eq!(fixture.answered().await, 500);
    fixture.put("SQS.ReceiveMessage", Way::ServerError, 3_600).await;
    assert_eq!(fixture.answered().await, 200);
    fixture.put("everything", Way::Throttled, 3_600).await;
    assert_eq!(fixture.answered().await, 400);
    fixture.weather(Method::DELETE, "localhost:80", String::new()).await;
    assert_eq!(fixture.answered().await, 200);
}

#[tokio::test]
async fn weather_ends_by_itself_and_a_newer_one_lasts_its_own_time() {
    let fixture = Fixture::changing().await;
    fixture.put("everything", Way::ServerError, 1).await;
    fixture.put("everything", Way::ServerError, 2).await;
    let started = Instant::now();
    while fixture.answered().await == 500 {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not end");
    }
    assert!(started.elapsed() > Duration::from_millis(1_500), "the first one ended it");
}

#[tokio::test]
async fn only_this_machine_changes_the_weather_and_only_where_that_is_allowed() {
    let fixture = Fixture::changing().await;
    let rain = r#"{"of": "everything", "how": "5xx", "seconds": 60}"#.to_owned();
    let attempt = fixture.weather(Method::PUT, "attacker.example:80", rain.clone()).await;
    assert_eq!(attempt.status(), 403);
    // What a form on another site may send.
    let attempt = fixture.weather(Method::POST, "127.0.0.1:80", rain.clone()).await;
    assert_eq!(attempt.status(), 405);
    let nonsense = fixture.weather(Method::PUT, "127.0.0.1:80", "{}".to_owned()).await;
    assert_eq!(nonsense.status(), 400);
    assert_eq!(fixture.answered().await, 200);

    let fixture = Fixture::start(Conditions::default()).await;
    fixture.weather(Method::PUT, "127.0.0.1:80", rain).await;
    assert_eq!(fixture.effects(), 1, "it is a call like any other");
    assert_eq!(fixture.answered().await, 200);
}
