//! Webhooks that the specification's own libraries for Python and Node sign, genuine and not.
//!
//! Needs what `.ci/webhooks` installs, and runs only with `WEBHOOK_TESTS=on`.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

#[path = "../test_system/mod.rs"]
mod test_system;

use test_system::{
    TestSystem,
    webhooks::{NEW, OLD},
};

const SWITCH: &str = "WEBHOOK_TESTS";
/// What each sender prints.
const ANSWERS: &str = "genuine: 202\nagain: 202\nold secret: 202\nboth secrets: 202\n\
    other secret: 403\nother body: 403\nsix minutes old: 403\nsix minutes ahead: 403\n\
    no signature: 400\nno id: 400\n";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    if !env::var(SWITCH).is_ok_and(|it| it == "on") {
        println!("senders: off, nothing was sent. Install the libraries with `.ci/webhooks`, then");
        println!("    {SWITCH}=on cargo test --package trials --test senders");
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = workspace.join("target/webhook-senders");
    let scripts = workspace.join("crates/trials/senders");
    let python = installed.join("python/bin/python");
    let test = TestSystem::start().await?;
    for (name, program, script) in [
        ("python", python, scripts.join("send.py")),
        ("node", PathBuf::from("node"), scripts.join("send.js")),
    ] {
        let id = test.order("Ada Lovelace", "80").await?;
        let mut command = Command::new(&program);
        command.arg(script).args([test.url("/webhooks/payments"), id.clone()]);
        command.env("NODE_PATH", installed.join("node/node_modules"));
        let output = command.env("NEW", NEW).env("OLD", OLD).output().await;
        let output = output.with_context(|| format!("starting {}", program.display()))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(printed == ANSWERS, "{name} got these answers:\n{printed}{errors}");
        let shows = format!("Payment {name}: 80.00 received");
        test.see_until(&id, |order| order.to_string().contains(&shows)).await?;
        println!("senders: {name} was answered as it should be, and its payment shows");
    }
    let stored = test.items("publisher", "WEBHOOKS_TABLE_NAME").await?.len();
    ensure!(stored == 6, "{stored} webhooks are stored, in place of 6");
    test.system.stop().await?;
    Ok(ExitCode::SUCCESS)
}
