//! Both sides of the check, over loopback.

use super::*;

/// Serves the result of `examine` on a free port, until the test ends.
async fn service(examine: fn() -> Result<String, String>) -> u16 {
    let listener = listen("HEALTH_PORT", 0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(listener, examine));
    port
}

#[tokio::test]
async fn a_healthy_service_answers_with_its_state_as_often_as_it_is_asked() {
    let port = service(|| Ok("3 messages in flight".to_owned())).await;
    for path in ["/", "/ping"] {
        assert_eq!(check(port, path).await.unwrap(), "3 messages in flight");
    }
}

#[tokio::test]
async fn the_reason_of_an_unhealthy_service_is_in_the_error() {
    let port = service(|| Err("no poll was answered for 60 s".to_owned())).await;
    let error = format!("{:#}", check(port, "/").await.unwrap_err());
    let expected =
        format!("asking 127.0.0.1:{port}/: 503 Service Unavailable: no poll was answered for 60 s");
    assert_eq!(error, expected);
}

#[tokio::test]
async fn without_a_service_the_error_names_the_address() {
    let port = listen("HEALTH_PORT", 0).await.unwrap().local_addr().unwrap().port();
    let error = format!("{:#}", check(port, "/ping").await.unwrap_err());
    assert!(error.starts_with(&format!("asking 127.0.0.1:{port}/ping: ")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_is_unhealthy() {
    // Nothing accepts the connection.
    let listener = listen("HEALTH_PORT", 0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = format!("{:#}", check(port, "/").await.unwrap_err());
    assert_eq!(error, format!("no answer on port {port} within 3 s: deadline has elapsed"));
}

#[tokio::test]
async fn a_port_in_use_is_reported_by_the_name_of_its_setting() {
    let listener = listen("HEALTH_PORT", 0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = listen("HEALTH_PORT", port).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on HEALTH_PORT {port}: ")), "{error}");
}
