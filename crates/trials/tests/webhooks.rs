//! Webhooks through the whole system: stored once, announced despite crashes, and a payment on its
//! order's page.

use std::process::Stdio;

use account::{
    endpoint,
    proxy::{Calls, Conditions, Fault, Outage, Proxy},
};
use anyhow::Context as _;
use local::{
    build,
    secrets::{Secrets, WEBHOOK_SECRETS},
};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

mod test_system;

use test_system::{
    SEED, TIMEOUT, TestSystem,
    webhooks::{NEW, OLD, SHIPPING, SOURCES, payment, payment_called},
};

type Outcome = anyhow::Result<()>;

fn station<'a>(order: &'a Value, name: &str) -> Option<&'a Value> {
    order["stations"].as_array()?.iter().find(|station| station["name"] == name)
}

/// Whether the order shows a payment with this word.
fn paid(word: &'static str) -> impl Fn(&Value) -> bool {
    move |order| station(order, "payment").is_some_and(|station| station["word"] == word)
}

#[tokio::test]
async fn a_payment_shows_live_before_fulfilment_and_after_it_twice_and_out_of_order() -> Outcome {
    let mut test = TestSystem::start().await?;
    test.stop("fulfilment").await?;
    let id = test.order("Ada Lovelace", "80").await?;
    let page = test.url(&format!("/orders/{id}"));
    let mut live = test.http.get(format!("{page}/events")).send().await?.error_for_status()?;

    // Before fulfilment, and the success before the failure that came first.
    test.webhook("payments", &payment("payment.received", &id)).await?;
    let shown = async {
        let mut seen = String::new();
        while !seen.contains("Payment pay_1: 80.00 received") {
            let chunk = live.chunk().await?.context("the stream ended")?;
            seen += std::str::from_utf8(&chunk)?;
        }
        anyhow::Ok(())
    };
    timeout(TIMEOUT, shown).await.context("the stream does not show it")??;
    test.webhook("payments", &payment("payment.failed", &id)).await?;
    test.webhook("payments", &payment("payment.received", &id)).await?;
    test.webhook("payments", &payment("payment.refunded", &id)).await?;
    test.webhook("shipping", &payment_called("pay_7", "payment.failed", &id)).await?;
    test.webhook("payments", &payment_called("pay_2", "payment.failed", &id)).await?;
    test.see_until(&id, |order| order.to_string().contains("pay_2")).await?;
    test.system.start_service("fulfilment")?;
    let done = test.see_until(&id, |order| order["is_done"] == true).await?;
    let payments = station(&done, "payment").context("no payment")?;
    assert_eq!((&payments["state"], &payments["word"]), (&json!("done"), &json!("received")));
    let payments = payments["attempts"].as_array().context("no attempts")?;
    assert_eq!(payments.len(), 2, "{payments:?}");

    // After it.
    let later = test.order("Grace Hopper", "50").await?;
    test.see_until(&later, |order| order["is_done"] == true).await?;
    test.webhook("payments", &payment("payment.failed", &later)).await?;
    test.see_until(&later, paid("failed")).await?;
    test.webhook("payments", &payment("payment.received", &later)).await?;
    let paid = test.see_until(&later, paid("received")).await?;
    assert_eq!((&paid["is_done"], &paid["state"]), (&json!(true), &json!("fulfilled")));
    test.status_is_handled(0).await?;
    test.system.stop().await
}

#[tokio::test]
async fn a_payment_for_an_order_that_is_not_there_is_a_dead_letter_and_shows_once_it_is() -> Outcome
{
    let test = TestSystem::start().await?;
    let id = test.open_form().await?;
    test.webhook("payments", &payment("payment.received", &id)).await?;
    test.status_is_handled(1).await?;
    test.logged("publisher", &["no retries left", &id]).await?;

    let local = build::binary(&build::binaries().await?, "local")?;
    let dead_letters = async |action: &str| {
        let mut command = Command::new(&local);
        command.args(["dead-letters", action, "publisher"]).stdin(Stdio::null());
        let output = command.env("AWS_ENDPOINT_URL", &test.system.target.endpoint_url).output();
        anyhow::Ok(String::from_utf8(output.await?.stdout)?)
    };
    let shown = dead_letters("show").await?;
    assert!(shown.contains(&format!("payment pay_1 for order {id}")), "{shown}");
    test.post_form(&id, "Ada Lovelace", "80").await?.error_for_status()?;
    dead_letters("redrive").await?;
    test.see_until(&id, paid("received")).await?;
    test.status_is_handled(0).await?;
    test.system.stop().await
}

#[tokio::test]
async fn a_secret_is_replaced_without_a_webhook_lost() -> Outcome {
    let mut test = TestSystem::start().await?;
    let event = json!({"type": "payment.pending"});
    let mut number = 0;
    let none = json!({}).to_string();
    let only = |secret: &str| json!({"payments": [secret]}).to_string();
    for (sources, expected) in [
        (only(OLD), [403, 202]),
        (json!({"payments": [NEW, OLD]}).to_string(), [202, 202]),
        (only(NEW), [202, 403]),
        (none, [404, 404]),
    ] {
        test.variables("publisher")?.insert(WEBHOOK_SECRETS.to_owned(), sources);
        test.stop("publisher").await?;
        test.system.start_service("publisher")?;
        test.system.healthy().await?;
        for (secret, expected) in [NEW, OLD].into_iter().zip(expected) {
            number += 1;
            let id = format!("rotated_{number}");
            let answer = test.webhook_signed("payments", secret, &id, &event).await?;
            assert_eq!(answer.status(), expected, "webhook {number}");
        }
    }
    assert_eq!(test.items("publisher", "WEBHOOKS_TABLE_NAME").await?.len(), 4);
    test.system.stop().await
}

#[tokio::test]
async fn webhooks_of_an_outage_and_of_a_killed_publisher_are_announced_after_it_and_stored_once()
-> Outcome {
    let account = endpoint::start(&endpoint::Settings::loopback(0).like_aws(SEED)).await?;
    let proxy = Proxy::start(&account.url, Conditions::default()).await?;
    let target = account.target_through(&proxy.url);
    let copilot = build::copilot_directory();
    let mut test = TestSystem::start_at(Some(target), copilot, &[]).await?;
    let id = test.order("Ada Lovelace", "80").await?;

    let of = Calls { mentions: "webhooksTopic".to_owned(), ..Calls::default() };
    proxy.set_outages(vec![Outage::Calls { of: vec![of], fault: Fault::Throttle, percent: 100 }]);
    let event = payment("payment.received", &id);
    let other = json!({"type": "parcel.sent"});
    for (source, secret, event) in [("payments", NEW, &event), ("shipping", SHIPPING, &other)] {
        for _ in 0..2 {
            let answer = test.webhook_signed(source, secret, "msg_of_the_outage", event).await?;
            assert_eq!(answer.status(), 202, "it is stored, although it cannot be announced");
        }
    }
    test.logged("publisher", &["topic is unavailable; the outbox keeps what is stored"]).await?;
    test.system.process("publisher")?.kill();
    test.system.process("publisher")?.wait().await?;
    assert_eq!(test.items("publisher", "WEBHOOKS_TABLE_NAME").await?.len(), 2);
    assert_eq!(test.lines("publisher", "webhook announced"), Vec::<String>::new());

    proxy.set_outages(Vec::new());
    test.system.start_service("publisher")?;
    test.system.healthy().await?;
    test.see_until(&id, paid("received")).await?;
    for source in ["payments", "shipping"] {
        test.logged("publisher", &["webhook announced", source]).await?;
    }
    // The sender did not get its answer, perhaps, and repeats itself.
    let again = test.webhook_signed("payments", OLD, "msg_of_the_outage", &event).await?;
    assert_eq!(again.status(), 202);
    assert_eq!(test.items("publisher", "WEBHOOKS_TABLE_NAME").await?.len(), 2);
    test.system.stop().await
}

#[tokio::test]
async fn no_log_and_no_error_has_a_secret_or_a_body() -> Outcome {
    const VERBOSE: &str = "info,publisher=trace,webhooks=trace,outbox=trace,orders=trace,\
        pubsub=trace,web=trace,standardwebhooks=trace";
    let mut test = TestSystem::start_with(&[("RUST_LOG", VERBOSE)]).await?;
    let id = test.order("Ada Lovelace", "80").await?;
    let mut event = payment("payment.received", &id);
    event["data"]["note"] = json!("Confidential");
    test.webhook("payments", &event).await?;
    test.see_until(&id, paid("received")).await?;
    let unreadable = json!({"type": "payment.received", "data": "Confidential"});
    for (secret, source, event) in [
        (OLD, "payments", event.clone()),
        (SHIPPING, "payments", event.clone()),
        (NEW, "unknown", event),
        (NEW, "payments", json!(["Confidential"])),
    ] {
        test.webhook_signed(source, secret, "msg_confidential", &event).await?;
    }
    // The same id with another body.
    test.webhook_signed("payments", NEW, "msg_confidential", &unreadable).await?;
    test.logged("publisher", &["repeated with another body"]).await?;

    let publisher = build::binary(&build::binaries().await?, "publisher")?;
    let variables = test.system.variables("publisher")?;
    assert!(!variables.contains_key(WEBHOOK_SECRETS), "it would be printed");
    let mut said = Vec::new();
    for (wrong, arguments) in
        [(NEW, &[][..]), (SOURCES, &["--no-such-option"]), (SOURCES, &["--help"])]
    {
        let mut command = Command::new(&publisher);
        command.env_clear().envs(&variables).env(WEBHOOK_SECRETS, wrong).args(arguments);
        let output = command.kill_on_drop(true).output().await?;
        assert_eq!(output.status.code() == Some(64), arguments != ["--help"], "{output:?}");
        said.push(String::from_utf8([output.stdout, output.stderr].concat())?);
    }
    assert!(said[0].contains("WEBHOOK_SECRETS is not a JSON object"), "{said:?}");
    said.push(format!("{:?}", Secrets::of_webhooks(SOURCES.to_owned())));
    test.stop("publisher").await?;
    for service in test.system.names() {
        said.extend(test.log.of(&service));
    }
    assert!(said.iter().any(|line| line.contains("webhook announced")));
    let secrets = [NEW, OLD, SHIPPING].map(|secret| secret.trim_start_matches("whsec_"));
    for line in &said {
        let leaks = ["Confidential"].iter().chain(&secrets).any(|it| line.contains(it));
        assert!(!leaks, "{line}");
    }
    test.system.stop().await
}
