//! What `local` offers a person who works on the services.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
};

use anyhow::Context as _;
use local::build;
use serde_json::Value;

mod running;

use running::{Build, Outcome, Running, local, order};

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
    let trace = &of_order[0]["trace_id"];
    assert!(trace.is_string() && of_order.iter().all(|it| it["trace_id"] == *trace));
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
    assert!((1..=21).contains(&sent.parse::<u32>()?), "{printed}");
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
    let build = Build::new()?;
    let local = || build.local();
    let mut running = build.start()?;
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
