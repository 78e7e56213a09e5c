//! `local` as a person types it: its output and its exit codes.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::Context as _;

mod running;

use running::{Outcome, Running, local, order};

/// Wrong usage, or a mistake in a file.
const EXIT_USAGE: Option<i32> = Some(64);

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}

#[test]
fn the_screen_prints_the_url_and_ctrl_c_stops_everything_cleanly() -> Outcome {
    let mut local = Running::start(&[], &[])?;
    let status = local.stop()?;
    for service in ["publisher", "fulfilment", "history", "promotion"] {
        let goodbye = format!("{service} exited cleanly");
        let lines = local.of_service(service);
        assert!(lines.iter().any(|line| line.contains(&goodbye)), "{service}: {lines:#?}");
    }
    assert!(status.success());
    Ok(())
}

#[test]
fn the_plain_templates_of_the_workspace_make_a_system_too() -> Outcome {
    let mut local = Running::start(&["--from", "infrastructure"], &[("PACE_MS", "0")])?;
    let id = order(&local.page, "80")?;
    let short = id.get(..8).context("an id")?.to_owned();
    local.wait_for(|line| line.contains(&short) && line.contains("fulfilled"))?;
    assert!(local.stop()?.success());
    Ok(())
}

#[test]
fn the_options_of_up_mean_the_same_before_the_word_after_it_and_without_it() -> Outcome {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    for arguments in
        [vec!["--port", &port], vec!["--port", &port, "up"], vec!["up", "--port", &port]]
    {
        let output = local().args(&arguments).output()?;
        assert_eq!(output.status.code(), EXIT_USAGE, "{}", complaint(&output));
        assert!(complaint(&output).contains(&format!("port {port} ")), "{}", complaint(&output));
    }
    let output = local().args(["up", "aws"]).output()?;
    assert_eq!(output.status.code(), EXIT_USAGE, "{}", complaint(&output));
    let help = local().args(["up", "--help"]).output()?;
    assert!(String::from_utf8(help.stdout)?.contains("--aws-port"));
    Ok(())
}

#[test]
fn a_port_in_use_is_one_sentence_that_names_the_process_and_exit_code_64() -> Outcome {
    for host in ["0.0.0.0:0", "127.0.0.1:0"] {
        let taken = TcpListener::bind(host)?;
        let port = taken.local_addr()?.port().to_string();
        let of_page = ["--port", &port, "--aws-port", "0"];
        let of_aws = ["--port", "0", "--aws-port", &port];
        let of_console = ["--port", "0", "--aws-port", "0", "--console-port", &port];
        for arguments in [&of_page[..], &of_aws[..], &of_console[..]] {
            let output = local().args(arguments).output()?;
            let complaint = complaint(&output);
            assert_eq!(output.status.code(), EXIT_USAGE, "{complaint}");
            assert!(complaint.contains(&format!("port {port} is in use")), "{complaint}");
            let us = format!("(process {})", std::process::id());
            assert!(complaint.contains(&us), "{complaint}");
            assert_eq!(complaint.lines().count(), 1);
        }
    }
    Ok(())
}

#[test]
fn the_console_is_on_the_screen_unless_it_is_left_out_and_then_nothing_listens() -> Outcome {
    for without in [false, true] {
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = free.port().to_string();
        let arguments = if without { vec!["--no-console"] } else { vec!["--console-port", &port] };
        let mut local = Running::start(&arguments, &[])?;
        // The screen is whole: its last line was read.
        let named = local.printed.iter().any(|line| line.contains("  console "));
        assert_eq!(named, !without, "{:#?}", local.printed);
        assert_eq!(TcpStream::connect(free).is_ok(), !without);
        // The account and the proxy; with a console, that and what receives spans.
        assert_eq!(local.listening()?, if without { 2 } else { 4 });
        assert!(local.stop()?.success());
    }
    Ok(())
}

/// Starts `local` on an endpoint that does not work, and returns what it says about it.
fn refused_endpoint(url: &str) -> anyhow::Result<String> {
    let started = Instant::now();
    let output = local().args(["--port", "0"]).env("AWS_ENDPOINT_URL", url).output()?;
    assert_eq!(output.status.code(), Some(1));
    assert!(started.elapsed() < Duration::from_secs(6), "it took {:?}", started.elapsed());
    Ok(complaint(&output))
}

#[test]
fn an_endpoint_that_does_not_answer_is_named_with_its_variable_at_once() -> Outcome {
    // Accepts connections, and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    // Nothing listens on port 1.
    for url in ["http://127.0.0.1:1".to_owned(), format!("http://{}", silent.local_addr()?)] {
        let complaint = refused_endpoint(&url)?;
        assert!(complaint.contains(&format!("AWS_ENDPOINT_URL is {url}; unset it")), "{complaint}");
    }
    Ok(())
}

#[test]
fn an_endpoint_elsewhere_cannot_be_given_the_habits_of_aws() -> Outcome {
    let mut command = local();
    let output =
        command.arg("--like-aws").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").output()?;
    assert_eq!(output.status.code(), Some(64));
    assert!(complaint(&output).contains("unset AWS_ENDPOINT_URL"), "{}", complaint(&output));
    Ok(())
}

#[test]
fn a_mistake_in_a_manifest_is_one_sentence_with_file_line_and_key() -> Outcome {
    let copy = tempfile::tempdir()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    copy_directory(&source, copy.path())?;
    let manifest = copy.path().join("promotion/manifest.yml");
    let text = fs::read_to_string(&manifest)?;
    let line =
        1 + text.lines().position(|line| line.contains("  tries: 10")).context("no tries")?;
    fs::write(&manifest, text.replace("  tries: 10", "  retries: 10"))?;
    let output = local().args(["--port", "0", "--from"]).arg(copy.path()).output()?;
    assert_eq!(output.status.code(), EXIT_USAGE);
    let complaint = complaint(&output);
    assert!(complaint.contains(&format!("promotion/manifest.yml:{line}:")), "{complaint}");
    assert!(complaint.contains("retries"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1);
    Ok(())
}

#[test]
fn the_local_account_obeys_the_manifest_and_a_variable_overrides_it() -> Outcome {
    let copy = tempfile::tempdir()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    copy_directory(&source, copy.path())?;
    let manifest = copy.path().join("fulfilment/manifest.yml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, text.replace("RUST_LOG: info", "RUST_LOG: \"off\""))?;
    let copy = copy.path().to_str().context("not UTF-8")?;
    for (variables, is_silent) in [(vec![], true), (vec![("RUST_LOG", "info")], false)] {
        let mut local = Running::start(&["--from", copy], &variables)?;
        assert!(local.stop()?.success());
        let lines = local.of_service("fulfilment");
        assert_eq!(lines.is_empty(), is_silent, "{variables:?}: {lines:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn each_binary_has_help_and_refuses_unknown_arguments() -> Outcome {
    let folder = local::build::binaries().await?;
    for name in ["publisher", "fulfilment", "history", "promotion"] {
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
