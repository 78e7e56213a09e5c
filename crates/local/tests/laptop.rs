//! What `local` offers a person who works on the services.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;
use local::build;
use serde_json::{Value, json};

mod running;

use running::{Outcome, Running, local};

/// Places an order, and returns its id.
fn order(page: &str, amount: &str) -> anyhow::Result<String> {
    let body = json!({ "customer": "Ada", "amount": amount }).to_string();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(page)?;
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let id = answer.split("location: /orders/").nth(1).and_then(|it| it.lines().next());
    Ok(id.with_context(|| answer.clone())?.to_owned())
}

#[test]
fn each_event_of_an_order_is_a_line_with_its_id_and_the_banner_is_one_of_them() -> Outcome {
    let mut local = Running::start(&[], &[("PACE_MS", "0")])?;
    let id = order(&local.page, "120")?;
    for event in ["order fulfilled", "coupon granted"] {
        local.wait_for(|line| line.contains(event))?;
    }
    assert!(local.stop()?.success());
    for event in [
        "order stored",
        "order announced",
        "fulfilling the order of",
        "coupon granted",
        "order fulfilled",
    ] {
        let found = local.printed.iter().find(|line| line.contains(event)).context(event)?;
        assert!(found.contains(&format!("{event} {id}")), "{found}");
    }
    Ok(())
}

/// The addresses that something listens on with this port.
fn listens(port: u16) -> anyhow::Result<BTreeSet<IpAddr>> {
    let all = listeners::get_all().map_err(|error| anyhow::anyhow!("{error}"))?;
    let sockets = all.into_iter().map(|it| it.socket);
    Ok(sockets.filter(|socket| socket.port() == port).map(|socket| socket.ip()).collect())
}

#[test]
fn other_machines_reach_the_page_only_if_host_says_so() -> Outcome {
    for (arguments, address) in
        [(vec![], Ipv4Addr::LOCALHOST), (vec!["--host", "0.0.0.0"], Ipv4Addr::UNSPECIFIED)]
    {
        let arguments = [vec!["--json"], arguments].concat();
        let mut local = Running::start(&arguments, &[])?;
        let page = local.page.rsplit(':').next().context("no port")?.parse()?;
        assert_eq!(listens(page)?, [IpAddr::from(address)].into());
        let ready = local.wait_for(|line| line.contains(r#""message":"ready""#))?;
        let aws = serde_json::from_str::<Value>(&ready)?["aws"].as_str().map(str::to_owned);
        let aws = aws.as_deref().and_then(|it| it.rsplit(':').next()).context("no AWS")?.parse()?;
        assert_eq!(listens(aws)?, [IpAddr::from(Ipv4Addr::LOCALHOST)].into());
        assert!(local.stop()?.success());
    }
    Ok(())
}

#[test]
fn the_variables_of_a_person_reach_the_services() -> Outcome {
    let quiet = [("BANNER", "off"), ("PACE_MS", "0"), ("RUST_LOG", "warn,fulfilment=info")];
    let mut local = Running::start(&[], &quiet)?;
    order(&local.page, "120")?;
    local.wait_for(|line| line.contains("order fulfilled"))?;
    assert!(local.stop()?.success());
    assert!(local.of_service("publisher").is_empty(), "{:#?}", local.printed);
    let is_banner = |line: &&String| line.contains("fulfilling the order of");
    assert_eq!(local.printed.iter().find(is_banner), None);
    Ok(())
}

#[test]
fn json_is_one_object_a_line_also_for_what_local_says() -> Outcome {
    let mut local = Running::start(&["--json"], &[("PACE_MS", "0")])?;
    let id = order(&local.page, "120")?;
    for event in ["order fulfilled", "coupon granted"] {
        local.wait_for(|line| line.contains(event))?;
    }
    assert!(local.stop()?.success());
    let events: Vec<Value> =
        local.printed.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
    let ready = events.iter().find(|it| it["message"] == "ready").context("no screen")?;
    assert_eq!(ready["page"], format!("http://{}", local.page.replace("127.0.0.1", "localhost")));
    let of_order: Vec<_> = events.iter().filter(|it| it["order.id"] == id.as_str()).collect();
    let services: Vec<_> = of_order.iter().map(|it| it["service"].as_str()).collect();
    for service in ["publisher", "fulfilment", "promotion"] {
        assert!(services.contains(&Some(service)), "{services:?}");
    }
    let trace = &of_order[0]["trace.id"];
    assert!(trace.is_string() && of_order.iter().all(|it| it["trace.id"] == *trace));
    Ok(())
}

#[test]
fn sample_orders_are_sent_at_a_rate_and_counted() -> Outcome {
    let mut running = Running::start(&[], &[("PACE_MS", "0")])?;
    let port = running.page.rsplit(':').next().context("no port")?.to_owned();
    let orders =
        || local().args(["orders", "--rate", "20", "--for", "1s", "--port", &port]).output();
    let output = orders()?;
    let printed = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{printed}");
    let summary = printed.lines().find(|line| line.contains(" orders: ")).context("no summary")?;
    let mut numbers = summary.split(|it: char| !it.is_ascii_digit()).filter(|it| !it.is_empty());
    let (sent, accepted) = (numbers.next().context("sent")?, numbers.next().context("accepted")?);
    assert_eq!(sent, accepted, "{printed}");
    assert!((10..=21).contains(&sent.parse::<u32>()?), "{printed}");
    assert!(running.stop()?.success());
    let stored = running.printed.iter().filter(|line| line.contains("order stored")).count();
    assert_eq!(stored.to_string(), sent);

    let output = orders()?;
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr)?.contains("no publisher answers"));
    Ok(())
}

#[test]
fn the_other_commands_find_the_system_that_runs_on_any_ports() -> Outcome {
    // Other links to the binaries are a build of their own, which no other test uses.
    let binaries = Path::new(env!("CARGO_BIN_EXE_local")).parent().context("no folder")?;
    let build = tempfile::tempdir_in(binaries)?;
    for name in ["local", "publisher", "fulfilment", "promotion"] {
        fs::hard_link(binaries.join(name), build.path().join(name))?;
    }
    let local = || {
        let mut command = Command::new(build.path().join("local"));
        command.env_remove("CARGO").env_remove("AWS_ENDPOINT_URL").env_remove("PORT");
        command
    };
    let mut up = local();
    up.args(["--port", "0", "--aws-port", "0", "--copilot"]).arg(copilot());
    let mut running = Running::of(up)?;
    let list = local().args(["dead-letters", "list", "--json"]).output()?;
    let counts: Value = serde_json::from_slice(&list.stdout)?;
    assert_eq!(counts["fulfilment"], 0);
    let orders = local().args(["orders", "--rate", "5", "--for", "400ms"]).output()?;
    assert!(orders.status.success(), "{}", String::from_utf8_lossy(&orders.stderr));
    assert!(running.stop()?.success());
    assert!(running.printed.iter().any(|line| line.contains("order stored")));
    assert!(!build.path().join("local.json").exists());
    Ok(())
}

#[tokio::test]
async fn a_service_that_was_left_out_runs_with_the_variables_that_were_written() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("fulfilment.env");
    let path = file.to_str().context("not UTF-8")?;
    let arguments = ["--without", "fulfilment", "--env-file", path];
    let mut local = Running::start(&arguments, &[("PACE_MS", "0")])?;
    let id = order(&local.page, "20")?;
    let text = fs::read_to_string(&file)?;
    let variables = text.lines().filter(|line| !line.starts_with('#'));
    let variables: Vec<_> = variables.filter_map(|line| line.split_once('=')).collect();
    let binary = build::binary(&build::binaries().await?, "fulfilment")?;
    let mut command = Command::new(binary);
    command.env_clear().envs(variables).stdout(Stdio::piped());
    let mut fulfilment = command.spawn()?;
    let output = fulfilment.stdout.take().context("no output")?;
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(output));
    let line = lines.find_map(|line| line.ok().filter(|line| line.contains("order fulfilled")));
    fulfilment.kill()?;
    fulfilment.wait()?;
    assert!(line.context("it was not fulfilled")?.contains(&id));
    assert!(local.stop()?.success());
    let started = local.printed.iter().find(|line| line.contains("fulfilment starts"));
    assert_eq!(started, None);
    Ok(())
}

#[test]
fn the_variables_of_a_service_that_was_left_out_are_printed_as_lines_to_paste() -> Outcome {
    let mut local = Running::start(&["--without", "promotion"], &[])?;
    assert!(local.stop()?.success());
    let exports: Vec<_> =
        local.printed.iter().filter(|line| line.starts_with("export ")).cloned().collect();
    let script = format!("{}\necho \"$COUPONS_TABLE_NAME\"", exports.join("\n"));
    let output = Command::new("sh").args(["-c", &script]).output()?;
    assert_eq!(String::from_utf8(output.stdout)?.trim(), "pubsub-test-promotion-couponsTable");
    let unknown = running::local().args(["--port", "0", "--without", "nobody"]).output()?;
    assert_eq!(unknown.status.code(), Some(64));
    assert!(String::from_utf8(unknown.stderr)?.contains("there are publisher"));
    Ok(())
}

fn copilot() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot")
}

/// A workspace whose cargo is a script: what `build` says is in `answer`, what `metadata` says is
/// the truth.
struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("promotion/src/main.rs");
        fs::create_dir_all(source.parent().context("no folder")?)?;
        fs::write(&source, "")?;
        fs::write(folder.path().join("Cargo.lock"), "")?;
        let manifest = folder.path().join("promotion/Cargo.toml");
        let metadata = json!({"packages": [{"name": "promotion", "manifest_path": manifest}]});
        let workspace = Self { folder };
        workspace.answers(&[], 0)?;
        let script = format!(
            "#!/bin/sh\ncd {}\ncase \"$*\" in\nmetadata*) echo '{metadata}';;\n\
             *--message-format*) cat answer; exit \"$(cat code)\";;\nesac\n",
            workspace.path().display()
        );
        let cargo = workspace.path().join("cargo");
        fs::write(&cargo, script)?;
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;
        Ok(workspace)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the next build says.
    fn answers(&self, messages: &[Value], code: u8) -> Outcome {
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        fs::write(self.path().join("answer"), lines)?;
        Ok(fs::write(self.path().join("code"), code.to_string())?)
    }

    /// Saves a source as an editor does.
    fn save(&self) -> Outcome {
        Ok(fs::write(self.path().join("promotion/src/main.rs"), "fn main() {}\n")?)
    }

    fn run(&self, copilot: &Path) -> anyhow::Result<Running> {
        let mut command = local();
        command.args(["--port", "0", "--aws-port", "0", "--copilot"]).arg(copilot);
        command.env("CARGO", self.path().join("cargo"));
        command.env("CARGO_MANIFEST_DIR", self.path().join("promotion"));
        Running::of(command)
    }
}

#[test]
fn a_saved_source_is_built_and_its_service_is_replaced_and_nothing_is_lost() -> Outcome {
    let workspace = Workspace::new()?;
    let mut local = workspace.run(&copilot())?;
    let before = order(&local.page, "20")?;
    let of = |name: &str, fresh| {
        let executable = format!("/target/debug/{name}");
        json!({"reason": "compiler-artifact", "fresh": fresh, "executable": executable})
    };
    workspace.answers(&[of("publisher", true), of("promotion", false)], 0)?;
    workspace.save()?;
    local.wait_for(|line| line.contains("promotion/src/main.rs changed: building"))?;
    local.wait_for(|line| line.contains("replaced promotion"))?;
    // The account and its tables are still there.
    let mut stream = TcpStream::connect(&local.page)?;
    let request =
        format!("GET /orders/{before} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    order(&local.page, "120")?;
    local.wait_for(|line| line.contains("coupon granted"))?;
    assert!(local.stop()?.success());
    let starts =
        local.of_service("promotion").into_iter().filter(|it| it.contains(" starts")).count();
    assert_eq!(starts, 2, "{:#?}", local.printed);
    Ok(())
}

#[test]
fn a_saved_manifest_changes_the_account_and_the_services_that_need_it() -> Outcome {
    let workspace = Workspace::new()?;
    let copilot = workspace.path().join("copilot");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot/.");
    assert!(Command::new("cp").arg("-R").args([&source, &copilot]).status()?.success());
    let mut local = workspace.run(&copilot)?;
    let replace = |service: &str, from: &str, to: &str| {
        let path = copilot.join(service).join("manifest.yml");
        let text = fs::read_to_string(&path)?;
        assert!(text.contains(from), "{service} has no {from}");
        anyhow::Ok(fs::write(path, text.replacen(from, to, 1))?)
    };
    // Promotion need not know its filter policy, but the publisher prints the offer.
    replace("promotion", "- 80\n", "- 20\n")?;
    local.wait_for(|line| line.contains("the account is as the manifests say"))?;
    order(&local.page, "30")?;
    local.wait_for(|line| line.contains("coupon granted"))?;
    replace("publisher", "OFFER: Orders", "OFFER: All orders")?;
    local.wait_for(|line| line.contains("replaced publisher"))?;
    replace("promotion", "tries: 3\n\npublish", "tries: many\n\npublish")?;
    local.wait_for(|line| line.contains("promotion/manifest.yml:") && line.contains("tries"))?;
    assert!(local.stop()?.success());
    Ok(())
}

#[test]
fn a_source_that_does_not_build_is_shown_while_the_old_process_goes_on() -> Outcome {
    let workspace = Workspace::new()?;
    let mut local = workspace.run(&copilot())?;
    let message = json!({"level": "error", "rendered": "error: expected `;`\n --> main.rs:1:2\n"});
    let message = json!({"reason": "compiler-message", "message": message});
    workspace.answers(&[message], 101)?;
    workspace.save()?;
    local.wait_for(|line| line.contains("does not build"))?;
    local.wait_for(|line| line == "error: expected `;`")?;
    order(&local.page, "120")?;
    local.wait_for(|line| line.contains("coupon granted"))?;
    assert!(local.stop()?.success());
    Ok(())
}
