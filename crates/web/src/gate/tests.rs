//! What is refused, and for how long.

use axum::{
    Router,
    body::Body,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    routing::get,
};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::*;

#[test]
fn a_place_is_free_again_when_its_work_is_over() {
    let gate = Gate::new("orders", 2);
    let (one, _two) = (gate.enter().unwrap(), gate.clone().enter().unwrap());
    let problem = gate.enter().unwrap_err();
    assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem.headers()[header::RETRY_AFTER], "5");
    assert!(problem.detail.starts_with("Too many orders are under way."), "{}", problem.detail);
    drop(one);
    assert!(gate.enter().is_ok());
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_refused_while_another_hangs() {
    let answered = Arc::new(Notify::new());
    let hanging = Arc::clone(&answered);
    let router = Router::new()
        .route("/", get(|| async move { hanging.notified().await }))
        .layer(from_fn_with_state(Gate::new("requests", 1), limited));
    let send = || router.clone().oneshot(Request::new(Body::empty()));
    let first = tokio::spawn(send());
    tokio::task::yield_now().await;
    assert_eq!(send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    answered.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), StatusCode::OK);
    answered.notify_one();
    assert_eq!(send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn an_overload_of_a_minute_is_a_few_lines_of_log_and_none_is_forgotten() {
    let gate = Gate::new("orders", 0);
    let mut lines = 0;
    let mut counted = 0;
    for _ in 0..600 {
        let before = gate.refused.lock().unwrap().count;
        gate.enter().unwrap_err();
        if gate.refused.lock().unwrap().count == 0 {
            lines += 1;
            counted += before + 1;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(lines, 6);
    assert_eq!(counted + gate.refused.lock().unwrap().count, 600);
}
