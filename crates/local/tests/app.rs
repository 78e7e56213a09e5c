//! `local --app`: the second sample, or any other system of the workspace, in the same way.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
};

use local::build::{Which, binaries_of};

mod running;

use running::{Outcome, Running, local};

const APP: &str = "examples/receipts";
const ID: &str = "0193f3a2-0000-7000-8000-000000000001";
/// As much of a picture as says that it is one.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0";

/// Sends the picture, and returns the head of the answer.
fn upload(page: &str) -> anyhow::Result<String> {
    let head = format!(
        "PUT /receipts/{ID} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: image/png\r\ncontent-length: {}\r\n\r\n",
        PNG.len()
    );
    let mut stream = TcpStream::connect(page)?;
    stream.write_all(&[head.as_bytes(), PNG].concat())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn another_system_of_the_workspace_is_built_shown_and_run() -> Outcome {
    let mut local = Running::start(&["--app", APP, "--without", "scanner"], &[])?;
    let screen = local.printed.join("\n");
    assert!(screen.contains("services  web\n") && screen.contains("without   scanner"), "{screen}");
    assert!(!screen.contains("order"), "{screen}");
    assert!(upload(&local.page)?.starts_with("HTTP/1.1 201"));
    // The picture is in S3, the receipt in DynamoDB, and the event went to SNS.
    local.wait_for(|line| line.contains("receipt announced"))?;
    local.wait_for(|line| line.starts_with("export COPILOT_QUEUE_URI="))?;
    assert!(local.stop()?.success());
    Ok(())
}

#[tokio::test]
async fn commands_about_orders_are_refused_in_a_sentence_and_the_others_know_the_system() -> Outcome
{
    let names = ["receipts-web", "receipts-scanner"].map(str::to_owned);
    let binaries = binaries_of(&Which::Binaries(names.to_vec())).await?;
    let folder = tempfile::tempdir_in(&binaries)?;
    for name in names.iter().map(String::as_str).chain(["local"]) {
        fs::hard_link(binaries.join(name), folder.path().join(name))?;
    }
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(APP);
    let command = || {
        let mut command = Command::new(folder.path().join("local"));
        command.env_remove("CARGO").env_remove("AWS_ENDPOINT_URL").env_remove("PORT");
        command
    };
    let mut up = command();
    up.args(["--port", "0", "--aws-port", "0", "--app"]).arg(&app);
    let mut running = Running::of(up)?;
    for arguments in [&["orders"][..], &["webhook", "send", "payments", "payment.received"]] {
        let output = command().args(arguments).output()?;
        let complaint = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(64), "{complaint}");
        assert!(complaint.contains("is receipts, which takes no orders"), "{complaint}");
    }
    let list = command().args(["dead-letters", "list", "--json"]).output()?;
    let counts: serde_json::Value = serde_json::from_slice(&list.stdout)?;
    assert_eq!(counts["scanner"], 0, "{counts}");
    assert!(running.stop()?.success());
    Ok(())
}

#[test]
fn a_directory_that_is_no_system_is_refused_in_a_sentence() -> Outcome {
    let output = local().args(["--port", "0", "--app", "examples/nothing"]).output()?;
    let complaint = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(64), "{complaint}");
    assert!(complaint.contains("examples/nothing/copilot"), "{complaint}");
    let both = local().args(["--app", APP, "--from", "infrastructure"]).output()?;
    assert_eq!(both.status.code(), Some(64));
    Ok(())
}
