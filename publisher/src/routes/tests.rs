//! Invalid input is never stored: thousands of requests, some valid, most nearly valid.
//!
//! An oracle decides which requests are valid. It shares no code with the publisher. An order in a
//! valid request has to be stored exactly as it was entered, an invalid request has to be refused
//! with a sentence.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{self, Body},
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
};
use orders::order::OrderId;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Runtime, sync::mpsc::Receiver};
use tower::ServiceExt as _;

use crate::{orders_table::PlacedOrder, test_account::TestAccount};

mod generate;

mod oracle;

mod protocol;

mod site;

mod form;

mod programs;

mod overload;

mod partitions;

mod progress;

mod payments;

mod webhooks;

use generate::Sent;
use oracle::Typed;

const CASES: u32 = 3_000;

/// The accepted orders by id.
type Accepted = BTreeMap<String, Typed>;

#[test]
fn invalid_input_is_never_stored() {
    let runtime = Runtime::new().unwrap();
    let (account, router, fresh) = runtime.block_on(async {
        let account = TestAccount::start().await;
        let (app, fresh) = account.app(&account.aws);
        (account, super::router(app, Router::new()), fresh)
    });
    let state = std::cell::RefCell::new((Accepted::new(), fresh));
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(CASES) })
        .run(&generate::request(), |sent| {
            let (accepted, fresh) = &mut *state.borrow_mut();
            runtime.block_on(check(&account, &router, fresh, accepted, sent))
        })
        .unwrap_or_else(|failure| panic!("{failure}"));

    let (accepted, _) = state.into_inner();
    let stored: Accepted = runtime.block_on(account.items()).iter().map(oracle::stored).collect();
    assert_eq!(stored, accepted);
    // Enough requests were valid, and enough were not.
    let valid = u32::try_from(accepted.len()).unwrap();
    assert!((CASES / 20..CASES * 19 / 20).contains(&valid), "{valid}");
}

async fn check(
    account: &TestAccount,
    router: &Router,
    fresh: &mut Receiver<PlacedOrder>,
    accepted: &mut Accepted,
    sent: Sent,
) -> Result<(), TestCaseError> {
    let expected = oracle::read(&sent);
    let page = sent.path == "/" && sent.accept.contains("html");
    let response = router.clone().oneshot(request(&sent)).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = body::to_bytes(response.into_body(), usize::MAX).await;
    let body = String::from_utf8(body.unwrap().to_vec()).unwrap();

    let Some(typed) = expected else {
        prop_assert!(status.is_client_error(), "{status} {body}");
        prop_assert!(fresh.try_recv().is_err(), "refused but announced: {body}");
        return check_refusal(page, &headers, &body);
    };
    let success = if sent.path == "/" { StatusCode::SEE_OTHER } else { StatusCode::CREATED };
    prop_assert_eq!(status, success, "{}", body);
    prop_assert!(fresh.try_recv().is_ok(), "stored but not announced");
    let location = headers[header::LOCATION].to_str().unwrap();
    let id: OrderId = location.strip_prefix("/orders/").unwrap().parse().unwrap();
    let (id, stored) = oracle::stored(&account.item(id).await.unwrap());
    prop_assert_eq!(&stored, &typed);
    accepted.insert(id, typed);
    Ok(())
}

/// Checks that a refusal contains a sentence, on the page or in `detail`.
fn check_refusal(page: bool, headers: &HeaderMap, body: &str) -> Result<(), TestCaseError> {
    let media_type = headers[header::CONTENT_TYPE].to_str().unwrap();
    let sentences: Vec<String> = if page || media_type.starts_with("text/html") {
        prop_assert!(media_type.starts_with("text/html"), "{media_type}");
        let paragraphs = body.split("<p").skip(1);
        paragraphs
            .filter_map(|it| Some(it.split_once('>')?.1.split_once("</p>")?.0.to_owned()))
            .filter(|it| !it.starts_with("<a"))
            .collect()
    } else {
        prop_assert_eq!(media_type, "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        vec![problem["detail"].as_str().unwrap_or_default().to_owned()]
    };
    prop_assert!(!sentences.is_empty(), "no sentence: {body}");
    for it in sentences {
        let begins = it.starts_with(|first: char| first.is_ascii_uppercase());
        let ends = it.ends_with('.') && !it.ends_with("..");
        let printable = !it.contains(char::is_control);
        prop_assert!(begins && ends && printable, "not a sentence: {it:?}");
    }
    Ok(())
}

fn request(sent: &Sent) -> Request<Body> {
    let mut request = Request::post(sent.path).header(header::ACCEPT, sent.accept);
    if let Some(media_type) = sent.content_type {
        request = request.header(header::CONTENT_TYPE, media_type);
    }
    if let Some(key) = &sent.idempotency_key {
        let key = HeaderValue::from_bytes(key).unwrap();
        request = request.header("idempotency-key", key);
    }
    request.body(Body::from(sent.body.clone())).unwrap()
}
