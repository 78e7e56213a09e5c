//! How `local` ends: nothing stays behind, whatever ends it, and it ends whenever it is asked to.

use std::{
    io::{Write as _, pipe},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use account::provision::ENVIRONMENT;
use anyhow::Context as _;
use local::{
    build,
    log::Log,
    secrets::Secrets,
    system::{Settings, System},
};
use nix::sys::signal::{Signal, kill};
use tokio::time::timeout;

mod running;

use running::{Outcome, Running, TIMEOUT, eventually, local, pid};

/// What a shell reports for Ctrl-C.
const INTERRUPTED: Option<i32> = Some(130);
/// At least as much as a pipe holds.
const PIPE: usize = 64 * 1024;

fn is_open(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn the_services_end_when_local_is_killed_or_its_terminal_closes() -> Outcome {
    for signal in [Signal::SIGKILL, Signal::SIGHUP] {
        let mut local = Running::start(&[], &[])?;
        assert!(is_open(&local.page));
        local.signal(signal)?;
        // All of them have closed their end of the output then.
        let hint = "a test that nohup has started ignores SIGHUP, and so does what it starts";
        local.wait().context(hint)?;
        eventually("its port is free again", || !is_open(&local.page))?;
    }
    Ok(())
}

#[test]
fn ctrl_c_works_while_nobody_reads_the_output() -> Outcome {
    let (_reader, mut writer) = pipe()?;
    let output = writer.try_clone()?;
    // Where a pipe holds less, this blocks, which is as good.
    thread::spawn(move || writer.write_all(&[b'\n'; PIPE]));
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let page = format!("127.0.0.1:{port}");
    let mut child =
        local().args(["--port", &port.to_string(), "--aws-port", "0"]).stdout(output).spawn()?;
    eventually("its page answers", || is_open(&page))?;
    kill(pid(&child)?, Signal::SIGINT)?;
    eventually("it exits", || matches!(child.try_wait(), Ok(Some(_))))?;
    // Its page answers a moment before it has started.
    let code = child.wait()?.code();
    assert!([Some(0), INTERRUPTED].contains(&code), "{code:?}");
    assert!(!is_open(&page));
    Ok(())
}

#[test]
fn ctrl_c_works_while_it_starts() -> Outcome {
    let endpoint = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", endpoint.local_addr()?);
    let mut child = local().args(["--port", "0"]).env("AWS_ENDPOINT_URL", url).spawn()?;
    let _waits_for_an_answer = endpoint.accept()?;
    kill(pid(&child)?, Signal::SIGINT)?;
    assert_eq!(child.wait()?.code(), INTERRUPTED);
    Ok(())
}

#[tokio::test]
async fn a_service_that_exited_before_the_end_does_not_make_the_end_a_failure() -> Outcome {
    let (_log, lines) = Log::new();
    let settings = Settings {
        files: build::copilot_directory(),
        binaries: build::binaries().await?,
        environment: ENVIRONMENT.to_owned(),
        endpoint: None,
        like_aws: Some(1),
        aws_port: 0,
        port: 0,
        host: Ipv4Addr::LOCALHOST.into(),
        without: Vec::new(),
        variables: [("RECEIVE_WAIT_SECONDS".to_owned(), "1".to_owned())].into(),
        secrets: Secrets::default(),
        changing_weather: false,
    };
    let mut system = System::start(settings, lines).await?;
    system.healthy().await?;
    system.process("promotion")?.kill();
    let (name, status) = timeout(TIMEOUT, system.exited()).await?;
    assert_eq!((name.as_str(), status?.success()), ("promotion", false));
    // Before it is started again, somebody presses Ctrl-C.
    timeout(TIMEOUT + Duration::from_secs(10), system.stop()).await?
}
