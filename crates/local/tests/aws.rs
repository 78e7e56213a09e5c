//! `local aws` as `docker-compose.yml` runs it: an account with a console, beside services that
//! have the variables that it prints.

use std::{collections::BTreeMap, net::Ipv4Addr, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use console::http::{Client, ask, client};
use http_body_util::Full;
use hyper::{Request, StatusCode};
use local::{build, port};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

mod running;

use running::{Outcome, TIMEOUT, copilot, order};

const TRACES: &str = "TRACES_URL";
/// The publisher, as a browser outside of the containers would reach it.
const PAGE: &str = "http://localhost:5999";
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// An account with a console, and the publisher and fulfilment beside it.
struct Containers {
    page: String,
    console: String,
    http: Client,
    said: Lines<BufReader<ChildStdout>>,
    _children: Vec<Child>,
}

impl Containers {
    async fn start() -> anyhow::Result<Self> {
        let page = format!("127.0.0.1:{}", free_port()?);
        let mut aws = Command::from(running::local());
        // Where it listens in a container; the services know it by a name.
        aws.args(["aws", "--port", "0", "--host", "0.0.0.0", "--public-host", "localhost"]);
        aws.args(["--console-port", "0", "--otlp-port", "0", "--publisher"]);
        aws.arg(format!("http://{page}")).args(["--publisher-page", PAGE]);
        aws.arg("--from").arg(copilot());
        let mut aws = aws.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut said = BufReader::new(aws.stdout.take().context("no output")?).lines();
        let mut variables = timeout(TIMEOUT, variables(&mut said)).await??;
        let shared = variables.remove("").context("no variables for all services")?;
        let traces = shared[TRACES].clone();
        let console = traces.strip_suffix("/traces/{trace}").context(traces.clone())?.to_owned();
        let binaries = build::binaries().await?;
        let mut children = vec![aws];
        for (name, port) in [("publisher", page.as_str()), ("fulfilment", "")] {
            let mut service = Command::new(build::binary(&binaries, name)?);
            service.env_clear().envs(&shared).envs(&variables[name]).env("HOST", "127.0.0.1");
            match port.rsplit_once(':') {
                Some((_, port)) => service.env("PORT", port),
                None => service.env("HEALTH_PORT", free_port()?.to_string()),
            };
            service.stdout(Stdio::null()).kill_on_drop(true);
            children.push(service.spawn()?);
        }
        let containers = Self { page, console, http: client(), said, _children: children };
        let page = format!("http://{}/ping", containers.page);
        let answers = async || Ok(containers.get(&page).await.is_ok());
        until("the page answers", answers).await?;
        Ok(containers)
    }

    /// A page.
    async fn get(&self, url: &str) -> anyhow::Result<String> {
        let request = Request::get(url).header("accept", "text/html").body(Full::default())?;
        let (status, body) = ask(&self.http, request, TIMEOUT).await?;
        ensure!(status.is_success(), "{url} answers {status}");
        Ok(String::from_utf8(body.to_vec())?)
    }

    /// Presses a button of the console, and returns what it says.
    async fn act(&self, name: &str, fields: &str) -> anyhow::Result<String> {
        let page = self.get(&format!("{}/weather", self.console)).await?;
        let token = page.split("name=\"token\" value=\"").nth(1).context("no token")?;
        let token = token.split('"').next().unwrap_or_default();
        let request = Request::post(format!("{}/act/{name}", self.console))
            .header("accept", "text/plain")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(format!("token={token}&{fields}")))?;
        let (status, body) = ask(&self.http, request, TIMEOUT).await?;
        let text = String::from_utf8(body.to_vec())?;
        ensure!(status == StatusCode::OK, "{status}: {text}");
        Ok(text)
    }

    /// Waits until the account has said this.
    async fn says(&mut self, wanted: &str) -> Outcome {
        let said = async {
            while let Some(line) = self.said.next_line().await? {
                if line.contains(wanted) {
                    return Ok(());
                }
            }
            anyhow::bail!("it ended")
        };
        timeout(TIMEOUT, said).await.with_context(|| format!("it does not say {wanted:?}"))?
    }
}

fn free_port() -> anyhow::Result<u16> {
    port::free(0, Ipv4Addr::LOCALHOST.into())
}

/// The variables that `local aws` prints, by service; those of all services are nobody's.
async fn variables(
    said: &mut Lines<BufReader<ChildStdout>>,
) -> anyhow::Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut variables = BTreeMap::<_, BTreeMap<_, _>>::new();
    let mut of = String::new();
    while let Some(line) = said.next_line().await? {
        if line.starts_with("# For the AWS CLI alone") {
            return Ok(variables);
        }
        if let Some(title) = line.strip_prefix("# ") {
            of = if title.contains(' ') { String::new() } else { title.to_owned() };
        } else if let Some((name, value)) = line.trim_start_matches("export ").split_once('=') {
            let value = value.trim_matches('\'').to_owned();
            variables.entry(of.clone()).or_default().insert(name.to_owned(), value);
        }
    }
    anyhow::bail!("it ended")
}

/// Waits until something is so.
async fn until(what: &str, is: impl AsyncFn() -> anyhow::Result<bool>) -> Outcome {
    let so = async {
        while !is().await? {
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    };
    timeout(TIMEOUT, so).await.with_context(|| format!("it never happened: {what}"))?
}

#[tokio::test]
async fn an_orders_page_leads_to_its_trace_over_the_services() -> Outcome {
    let containers = Containers::start().await?;
    let id = order(&containers.page, "120")?;
    let found = format!("{}/traces?find={id}", containers.console);
    let spans = async || Ok(containers.get(&found).await?.contains("fulfilment, publisher"));
    until("the spans of both services are in one trace", spans).await?;
    let page = containers.get(&format!("http://{}/orders/{id}", containers.page)).await?;
    let link = page.split("href=\"").find(|it| it.starts_with(&containers.console));
    let link = link.and_then(|it| it.split('"').next()).context("no link to the console")?;
    let trace = containers.get(link).await?;
    for part in ["process pubsub-test-fulfilment-EventsQueue", "DynamoDB.PutItem", &id] {
        ensure!(trace.contains(part), "{part} is not in {trace}");
    }
    ensure!(trace.contains(&format!("href=\"{PAGE}/orders\"")), "no link to the orders: {trace}");
    Ok(())
}

#[tokio::test]
async fn weather_at_the_console_meets_the_calls_of_the_services_and_not_those_of_the_console()
-> Outcome {
    let mut containers = Containers::start().await?;
    order(&containers.page, "20")?;
    let said = containers.act("weather", "of=everything&how=denied&seconds=3600").await?;
    assert_eq!(said, "AWS: everything is denied for 3600 s.");
    let refused = order(&containers.page, "20").unwrap_err().to_string();
    ensure!(refused.contains(" 503 "), "{refused}");
    let tables = containers.get(&format!("{}/tables", containers.console)).await?;
    ensure!(tables.contains("pubsub-test-publisher-ordersTable"), "{tables}");
    containers.says("AWS: everything is denied for 3600 s").await?;
    containers.act("fair", "").await?;
    containers.says("AWS: fair weather again; the outage met ").await?;
    // The publisher may have stopped asking for a while.
    until("orders are accepted", async || Ok(order(&containers.page, "20").is_ok())).await
}
