//! What a browser gets that opens a stream, of a thing that is settled.

use axum::{
    body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use tokio_util::sync::CancellationToken;

use super::{LAST_EVENT_ID, Watched, Watchers, events};

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

async fn open(last_event_id: Option<&'static str>) -> Response {
    let read = |()| async { Ok(Some(Settled)) };
    let watchers = Watchers::new(1, CancellationToken::new(), read);
    let mut headers = HeaderMap::new();
    if let Some(id) = last_event_id {
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static(id));
    }
    events(&watchers, (), &headers, |_| "settled").await.unwrap()
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
