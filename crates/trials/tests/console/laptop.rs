//! A `local` as a person starts it, on free ports, and its account.

use std::process::Stdio;

use account::provision::Target;
use anyhow::{Context as _, ensure};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use local::build;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::test_system::{LOOK_EVERY, TIMEOUT};

const REGION: &str = "us-east-1";

/// A running `local`, which is killed when this is dropped.
pub struct Laptop {
    /// The URL of the publisher.
    pub page: String,
    /// The URL of the console.
    pub console: String,
    pub sqs: aws_sdk_sqs::Client,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub http: Client,
    child: Child,
}

impl Laptop {
    /// Starts it, and waits until its page answers.
    pub async fn start() -> anyhow::Result<Self> {
        let binaries = build::binaries().await?;
        let mut command = Command::new(binaries.join("local"));
        command.args(["--port", "0", "--aws-port", "0", "--console-port", "0", "--json"]);
        command.arg("--from").arg(build::copilot_directory());
        for name in ["CARGO", "AWS_ENDPOINT_URL", "PORT", "OTEL_EXPORTER_OTLP_ENDPOINT", "BANNER"] {
            command.env_remove(name);
        }
        command.envs([("AWS_REGION", REGION), ("PACE_MS", "200")]);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let ready = timeout(TIMEOUT, async {
            while let Some(line) = lines.next_line().await? {
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if event["message"] == "ready" {
                    return Ok(event);
                }
            }
            anyhow::bail!("local exited")
        });
        let ready = ready.await.context("local is not ready")??;
        // Its output is read, or it would block.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let text = |name: &str| ready[name].as_str().map(str::to_owned).context("not ready");
        let aws = Target::elsewhere(text("aws")?, REGION.to_owned()).config().await;
        Ok(Self {
            page: text("page")?,
            console: text("console")?,
            sqs: aws_sdk_sqs::Client::new(&aws),
            dynamodb: aws_sdk_dynamodb::Client::new(&aws),
            http: Client::new(),
            child,
        })
    }

    /// Presses Ctrl-C, and waits for the end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("local has exited")?;
        kill(Pid::from_raw(pid.try_into()?), Signal::SIGINT)?;
        let status = timeout(TIMEOUT, self.child.wait()).await.context("local does not exit")??;
        ensure!(status.success(), "local exited with {status}");
        Ok(())
    }

    /// Does what a button of the console does, and returns the status and what it says.
    pub async fn act(&self, name: &str, fields: &[(&str, &str)]) -> anyhow::Result<(u16, String)> {
        let page = self.http.get(format!("{}/services", self.console)).send().await?.text().await?;
        let token = page.split("name=\"token\" value=\"").nth(1).context("no token")?;
        let token = token.split('"').next().unwrap_or_default();
        let fields: Vec<_> = fields.iter().copied().chain([("token", token)]).collect();
        let act = self.http.post(format!("{}/act/{name}", self.console)).form(&fields);
        let answer = act.header("accept", "text/plain").send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Places an order, and returns its id.
    pub async fn order(&self, amount: &str) -> anyhow::Result<String> {
        let order = json!({ "customer": "Ada", "amount": amount });
        let answer = self.http.post(format!("{}/orders", self.page)).json(&order).send().await?;
        let placed: Value = answer.error_for_status()?.json().await?;
        Ok(placed["id"].as_str().context("no id")?.to_owned())
    }

    /// An order, as the publisher shows it to programs.
    pub async fn see(&self, id: &str) -> anyhow::Result<Value> {
        let order = self.http.get(format!("{}/orders/{id}", self.page));
        let order = order.header("accept", "application/json").send().await?;
        Ok(order.error_for_status()?.json().await?)
    }

    /// The latest orders, the newest first.
    pub async fn orders(&self) -> anyhow::Result<Vec<Value>> {
        let orders = self.http.get(format!("{}/orders", self.page));
        let orders = orders.header("accept", "application/json").send().await?;
        let mut latest: Value = orders.error_for_status()?.json().await?;
        Ok(latest["orders"].as_array_mut().context("no orders")?.drain(..).collect())
    }

    /// Waits until an order is fulfilled.
    pub async fn fulfilled(&self, id: &str) -> anyhow::Result<()> {
        let done = async || Ok(self.see(id).await?["is_done"] == true);
        until(&format!("{id} is fulfilled"), done).await
    }

    /// How many messages of a queue are visible, and how many are in flight.
    pub async fn depth(&self, queue: &str) -> anyhow::Result<(usize, usize)> {
        let url = self.sqs.get_queue_url().queue_name(queue).send().await?.queue_url;
        let get = self.sqs.get_queue_attributes().set_queue_url(url).attribute_names(Name::All);
        let attributes = get.send().await?.attributes.unwrap_or_default();
        let read = |name| anyhow::Ok(attributes.get(&name).context("no depth")?.parse()?);
        Ok((
            read(Name::ApproximateNumberOfMessages)?,
            read(Name::ApproximateNumberOfMessagesNotVisible)?,
        ))
    }
}

/// Waits until something is so.
pub async fn until(what: &str, is: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let so = async {
        while !is().await? {
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    };
    timeout(TIMEOUT, so).await.with_context(|| format!("it never happened: {what}"))?
}
