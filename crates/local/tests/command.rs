//! `local` as a person types it: its output and its exit codes.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

type Outcome = anyhow::Result<()>;

/// Wrong usage, or a mistake in a file.
const EXIT_USAGE: Option<i32> = Some(64);

fn local() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.env_remove("AWS_ENDPOINT_URL");
    command
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}

#[test]
fn the_last_line_prints_the_url_and_ctrl_c_stops_everything_cleanly() -> Outcome {
    let mut child = local().args(["--port", "0"]).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("its output is piped")?;
    let mut lines = BufReader::new(output).lines();
    let page = loop {
        let line = lines.next().context("it exited before it printed the URL")??;
        if let Some((_, url)) = line.split_once("the page is at ") {
            break url.to_owned();
        }
    };
    assert!(page.starts_with("http://localhost:"), "{page}");
    kill(pid(&child)?, Signal::SIGINT)?;
    let rest = lines.collect::<Result<Vec<_>, _>>()?;
    for service in ["publisher", "fulfilment", "promotion"] {
        let goodbye = format!("{service} exited cleanly");
        assert!(rest.iter().any(|line| line.contains(&goodbye)), "{service}: {rest:#?}");
    }
    assert!(child.wait()?.success());
    Ok(())
}

#[test]
fn a_port_in_use_is_one_sentence_and_exit_code_64() -> Outcome {
    let taken = TcpListener::bind("0.0.0.0:0")?;
    let port = taken.local_addr()?.port().to_string();
    for arguments in [vec!["--port", &port], vec!["--port", "0", "--aws-port", &port]] {
        let output = local().args(arguments).output()?;
        assert_eq!(output.status.code(), EXIT_USAGE, "{}", complaint(&output));
        assert!(complaint(&output).contains(&port), "{}", complaint(&output));
        assert_eq!(complaint(&output).lines().count(), 1);
    }
    Ok(())
}

#[test]
fn an_endpoint_that_does_not_answer_is_named_with_its_variable() -> Outcome {
    // Nothing listens on port 1.
    let nowhere = "http://127.0.0.1:1";
    let output = local().args(["--port", "0"]).env("AWS_ENDPOINT_URL", nowhere).output()?;
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("AWS_ENDPOINT_URL is {nowhere}; unset it");
    assert!(complaint(&output).contains(&expected), "{}", complaint(&output));
    Ok(())
}

#[test]
fn a_mistake_in_a_manifest_is_one_sentence_with_file_line_and_key() -> Outcome {
    let copy = tempfile::tempdir()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    copy_directory(&source, copy.path())?;
    let manifest = copy.path().join("promotion/manifest.yml");
    let text = fs::read_to_string(&manifest)?;
    let line = 1 + text.lines().position(|line| line.contains("tries: 3")).context("no tries")?;
    fs::write(&manifest, text.replace("tries: 3", "retries: 3"))?;
    let output = local().args(["--port", "0", "--copilot"]).arg(copy.path()).output()?;
    assert_eq!(output.status.code(), EXIT_USAGE);
    let complaint = complaint(&output);
    assert!(complaint.contains(&format!("promotion/manifest.yml:{line}:")), "{complaint}");
    assert!(complaint.contains("retries"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1);
    Ok(())
}

#[test]
fn the_local_account_obeys_the_manifest() -> Outcome {
    let copy = tempfile::tempdir()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    copy_directory(&source, copy.path())?;
    let manifest = copy.path().join("fulfilment/manifest.yml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, text.replace("RUST_LOG: info", "RUST_LOG: \"off\""))?;
    let mut child = local()
        .args(["--port", "0", "--copilot"])
        .arg(copy.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("its output is piped")?;
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let before: Vec<_> = lines.by_ref().take_while(|it| !it.contains("the page is at")).collect();
    kill(pid(&child)?, Signal::SIGTERM)?;
    let after: Vec<_> = lines.collect();
    assert!(child.wait()?.success());
    let said = before.iter().chain(&after).any(|line| line.starts_with("fulfilment"));
    assert!(!said, "fulfilment logs although its manifest turns that off: {before:?} {after:?}");
    Ok(())
}

#[tokio::test]
async fn each_binary_has_help_and_refuses_unknown_arguments() -> Outcome {
    let folder = local::build::binaries().await?;
    for name in ["publisher", "fulfilment", "promotion"] {
        let run = |arguments: &[&str]| {
            Command::new(folder.join(name)).args(arguments).env_clear().output()
        };
        let help = run(&["--help"])?;
        assert!(help.status.success());
        assert!(String::from_utf8_lossy(&help.stdout).contains("COPILOT_"));
        assert!(run(&["--version"])?.status.success());
        let unknown = run(&["--frobnicate"])?;
        assert_eq!(unknown.status.code(), EXIT_USAGE);
        let unset = run(&[])?;
        assert_eq!(unset.status.code(), EXIT_USAGE);
        assert!(complaint(&unset).contains(" not set; "), "{}", complaint(&unset));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let health = Command::new(folder.join(name))
            .arg("healthcheck")
            .env_clear()
            .envs([("PORT", &port), ("HEALTH_PORT", &port)])
            .output()?;
        assert_eq!(health.status.code(), Some(1), "nothing runs there");
    }
    Ok(())
}

fn pid(child: &Child) -> anyhow::Result<Pid> {
    Ok(Pid::from_raw(child.id().try_into()?))
}

fn copy_directory(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
