//! Dead letters as the person at night meets them: looked at, sent round again, thrown away.

use std::process::{Output, Stdio};

use local::build;
use tokio::process::Command;

mod common;

use common::Bed;

type Outcome = anyhow::Result<()>;

/// Runs `local dead-letters` with `arguments` on the endpoint of `bed`, away from a terminal.
async fn dead_letters(bed: &Bed, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(build::binary(&build::binaries().await?, "local")?);
    command.arg("dead-letters").args(arguments).stdin(Stdio::null());
    command.env("AWS_ENDPOINT_URL", &bed.system.target.endpoint_url);
    Ok(command.output().await?)
}

fn printed(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[tokio::test]
async fn a_dead_letter_is_shown_without_its_content_as_often_as_one_looks() -> Outcome {
    let bed = Bed::start().await?;
    bed.send_to_queue("fulfilment", r#"{"customer": "Ada", "amount": "much"}"#).await?;
    bed.dead_letters("fulfilment", 1).await?;
    for _ in 0..2 {
        let shown = printed(&dead_letters(&bed, &["show", "fulfilment"]).await?);
        assert!(shown.contains("unreadable: amount"), "{shown}");
        assert!(!shown.contains("Ada"), "{shown}");
    }
    let bodies = printed(&dead_letters(&bed, &["show", "fulfilment", "--bodies"]).await?);
    assert!(bodies.contains("Ada"), "{bodies}");
    let listed = printed(&dead_letters(&bed, &["list", "--json"]).await?);
    assert_eq!(listed.trim(), r#"{"fulfilment":1,"promotion":0,"publisher":0}"#);
    bed.system.stop().await
}

#[tokio::test]
async fn a_redriven_order_is_fulfilled() -> Outcome {
    let bed = Bed::start().await?;
    let id = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";
    let order = format!(r#"{{"id": "{id}", "customer": "Ada", "amount": "120.00"}}"#);
    bed.send_to_dead_letters("fulfilment", &order).await?;
    let shown = printed(&dead_letters(&bed, &["show", "fulfilment"]).await?);
    assert!(shown.contains(id), "{shown}");
    let redriven = dead_letters(&bed, &["redrive", "fulfilment"]).await?;
    assert!(redriven.status.success(), "{}", printed(&redriven));
    bed.saw("fulfilment", &["order fulfilled", id]).await?;
    bed.dead_letters("fulfilment", 0).await?;
    bed.system.stop().await
}

#[tokio::test]
async fn purging_asks_first_and_deletes_with_yes() -> Outcome {
    let bed = Bed::start().await?;
    bed.send_to_dead_letters("promotion", "poison").await?;
    let refused = dead_letters(&bed, &["purge", "promotion"]).await?;
    assert_eq!(refused.status.code(), Some(64), "{}", printed(&refused));
    bed.dead_letters("promotion", 1).await?;
    let purged = dead_letters(&bed, &["purge", "promotion", "--yes"]).await?;
    assert!(purged.status.success(), "{}", printed(&purged));
    bed.dead_letters("promotion", 0).await?;
    let unknown = dead_letters(&bed, &["show", "nobody"]).await?;
    assert_eq!(unknown.status.code(), Some(64));
    assert!(printed(&unknown).contains("fulfilment, promotion"), "{}", printed(&unknown));
    bed.system.stop().await
}
