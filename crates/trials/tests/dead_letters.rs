//! Dead letters as an operator handles them: listed, shown, redriven and purged.

use std::process::{Output, Stdio};

use anyhow::Context as _;
use local::build;
use serde_json::Value;
use tokio::process::Command;

mod test_system;

use test_system::TestSystem;

type Outcome = anyhow::Result<()>;

/// Runs `local dead-letters` with `arguments` on the endpoint of `test`, without a terminal.
async fn dead_letters(test: &TestSystem, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(build::binary(&build::binaries().await?, "local")?);
    command.arg("dead-letters").args(arguments).stdin(Stdio::null());
    command.env("AWS_ENDPOINT_URL", &test.system.target.endpoint_url);
    Ok(command.output().await?)
}

fn printed(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

const UNREADABLE: &str = r#"{
    "id": "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f", "customer": "Ada", "amount": "much"
}"#;

#[tokio::test]
async fn a_dead_letter_is_shown_without_its_content_and_can_be_shown_again() -> Outcome {
    let test = TestSystem::start().await?;
    test.send_to_queue("fulfilment", UNREADABLE).await?;
    test.dead_letters("fulfilment", 1).await?;
    for _ in 0..2 {
        let shown = printed(&dead_letters(&test, &["show", "fulfilment"]).await?);
        assert!(shown.contains("unreadable: amount"), "{shown}");
        assert!(!shown.contains("Ada"), "{shown}");
    }
    let bodies = printed(&dead_letters(&test, &["show", "fulfilment", "--bodies"]).await?);
    assert!(bodies.contains("Ada"), "{bodies}");
    let listed = printed(&dead_letters(&test, &["list", "--json"]).await?);
    let listed: Value = serde_json::from_str(&listed)?;
    for (service, count) in [("fulfilment", 1), ("promotion", 0), ("publisher", 0)] {
        assert_eq!(listed[service], count, "{listed}");
    }
    test.system.stop().await
}

#[tokio::test]
async fn a_redriven_order_is_fulfilled() -> Outcome {
    let test = TestSystem::start().await?;
    let id = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";
    let order = format!(r#"{{"id": "{id}", "customer": "Ada", "amount": "120.00"}}"#);
    test.send_to_dead_letters("fulfilment", &order).await?;
    let shown = printed(&dead_letters(&test, &["show", "fulfilment"]).await?);
    assert!(shown.contains(id), "{shown}");
    let redriven = dead_letters(&test, &["redrive", "fulfilment"]).await?;
    assert!(redriven.status.success(), "{}", printed(&redriven));
    test.logged("fulfilment", &["order fulfilled", id]).await?;
    test.dead_letters("fulfilment", 0).await?;
    test.system.stop().await
}

#[tokio::test]
async fn purging_asks_first_and_deletes_with_yes() -> Outcome {
    let test = TestSystem::start().await?;
    test.send_to_dead_letters("promotion", "poison").await?;
    let refused = dead_letters(&test, &["purge", "promotion"]).await?;
    assert_eq!(refused.status.code(), Some(64), "{}", printed(&refused));
    test.dead_letters("promotion", 1).await?;
    let purged = dead_letters(&test, &["purge", "promotion", "--yes"]).await?;
    assert!(purged.status.success(), "{}", printed(&purged));
    test.dead_letters("promotion", 0).await?;
    let unknown = dead_letters(&test, &["show", "nobody"]).await?;
    assert_eq!(unknown.status.code(), Some(64), "{}", printed(&unknown));
    for service in ["fulfilment", "promotion"] {
        assert!(printed(&unknown).contains(service), "{}", printed(&unknown));
    }
    test.system.stop().await
}

#[tokio::test]
async fn what_another_reader_looks_at_is_counted_and_not_called_absent() -> Outcome {
    let test = TestSystem::start().await?;
    test.send_to_dead_letters("promotion", "poison").await?;
    let url = test.queue("promotion")?.dead_letter_url.context("no dead-letter queue")?;
    let hide = aws_sdk_sqs::Client::new(&test.aws).receive_message().queue_url(url);
    assert_eq!(hide.visibility_timeout(60).send().await?.messages().len(), 1);
    let shown = printed(&dead_letters(&test, &["show", "promotion"]).await?);
    assert!(shown.contains("1 more are in flight"), "{shown}");
    assert!(!shown.contains("no dead letters"), "{shown}");
    test.system.stop().await
}
