//! What a browser gets that opens a stream, of a thing that is settled.

use axum::{
    body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use tokio_util::sync::CancellationToken;

use super::{Client, LAST_EVENT_ID, Watched, Watchers, events};
use crate::viewers::Limits;

#[derive(Clone, Copy)]
struct Settled;

impl Watched for Settled {
    fn version(&self) -> u64 {
        7
    }

    fn is_settled(&self) -> bool {
        true
    }
}

fn watchers(of_a_client: usize) -> Watchers<(), Settled> {
    let limits = Limits { in_all: 1, of_a_client };
    Watchers::new(limits, CancellationToken::new(), |()| async { Ok(Some(Settled)) })
}

fn client() -> Client {
    Client::of([203, 0, 113, 7].into(), &HeaderMap::new(), 0)
}

async fn open(last_event_id: Option<&'static str>) -> Response {
    let watchers = watchers(1);
    let mut headers = HeaderMap::new();
    if let Some(id) = last_event_id {
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static(id));
    }
    events(&watchers, (), &headers, client(), |_| "settled").await.unwrap()
}

async fn check(last_event_id: Option<&'static str>, status: StatusCode, text: &str) {
    let response = open(last_event_id).await;
    assert_eq!(response.status(), status, "{last_event_id:?}");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache, no-transform");
    let body = body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(body, text, "{last_event_id:?}");
}

#[tokio::test(start_paused = true)]
async fn a_browser_gets_what_it_has_not_seen_and_then_stops_reconnecting() {
    let event = "id: 7\nretry: 2000\ndata: \"settled\"\n\n";
    check(None, StatusCode::OK, event).await;
    check(Some("6"), StatusCode::OK, event).await;
    check(Some("no version"), StatusCode::OK, event).await;
    check(Some("7"), StatusCode::NO_CONTENT, "").await;
    check(Some("8"), StatusCode::OK, "").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_watches_too_much_is_told_so_at_once() {
    for (of_a_client, status, words) in [
        (0, StatusCode::TOO_MANY_REQUESTS, "This client has too many live pages open"),
        (2, StatusCode::SERVICE_UNAVAILABLE, "Too many viewers"),
    ] {
        let watchers = watchers(of_a_client);
        let headers = HeaderMap::new();
        let first = events(&watchers, (), &headers, client(), |_| "settled").await;
        let refused = events(&watchers, (), &headers, client(), |_| "settled").await.unwrap_err();
        assert_eq!(refused.status, status);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "5");
        assert!(refused.detail.starts_with(words), "{}", refused.detail);
        drop(first);
    }
}
