//! The sample with its own account, for one test.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::{
    collections::BTreeMap,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use account::{
    endpoint::{self, Endpoint, Settings},
    provision::{ENVIRONMENT, Target},
    proxy::{Conditions, Proxy},
};
use anyhow::{Context as _, ensure};
use local::{
    build,
    log::Log,
    secrets::Secrets,
    system::{self, System},
};
use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::textract::Textract;

/// Longer than anything takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(90);
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a sample differs from the usual one.
#[derive(Debug, Default)]
pub struct Differences {
    /// The seed of the habits of AWS, if the account has them.
    pub like_aws: Option<u64>,
    /// The visibility timeout of the scanner's queue in seconds, in place of the manifest's.
    pub visibility: Option<u32>,
    /// Whether pictures are read by a real reader, in place of the script.
    pub reads: bool,
    /// What goes wrong between the services and the account.
    pub conditions: Conditions,
}

/// A running sample.
pub struct Sample {
    pub system: System,
    pub log: Log,
    pub http: Client,
    pub textract: Textract,
    pub target: Target,
    pub proxy: Proxy,
    _account: Endpoint,
    _files: Option<TempDir>,
}

impl Sample {
    pub async fn start(differences: Differences) -> anyhow::Result<Self> {
        let textract = Textract::default();
        let script = (!differences.reads).then(|| textract.script());
        let settings =
            Settings { habits: differences.like_aws, textract: script, ..Settings::loopback(0) };
        let account = endpoint::start(&settings).await?;
        let proxy = Proxy::start(&account.url, differences.conditions).await?;
        let changed = differences.visibility.map(with_visibility).transpose()?;
        let app = build::files_directory(Some(Path::new("examples/receipts")));
        let files = changed.as_ref().map_or(app.clone(), |changed| changed.path().to_owned());
        let names = ["receipts-web", "receipts-scanner"].map(str::to_owned);
        let (log, lines) = Log::new();
        let variables = [("RECEIVE_WAIT_SECONDS", "1"), ("LOG_FORMAT", "text")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = system::Settings {
            files: files.join("copilot"),
            binaries: build::binaries_of(&build::Which::Binaries(names.into())).await?,
            environment: ENVIRONMENT.to_owned(),
            endpoint: Some(account.target_through(&proxy.url)),
            aws_port: 0,
            like_aws: None,
            port: 0,
            host: Ipv4Addr::LOCALHOST.into(),
            without: Vec::new(),
            variables: BTreeMap::from(variables),
            secrets: Secrets::default(),
            changing_weather: false,
        };
        let system = System::start(settings, lines).await?;
        system.healthy().await?;
        let (http, target) =
            (Client::builder().redirect(Policy::none()).build()?, account.target());
        Ok(Self { system, log, http, textract, target, proxy, _account: account, _files: changed })
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.system.url)
    }

    /// Sends a picture.
    pub async fn put(&self, id: Uuid, picture: Vec<u8>) -> anyhow::Result<Response> {
        Ok(self.http.put(self.url(&format!("/receipts/{id}"))).body(picture).send().await?)
    }

    /// Sends a picture as a new receipt, and returns its id.
    pub async fn send(&self, picture: Vec<u8>) -> anyhow::Result<Uuid> {
        let id = Uuid::now_v7();
        let answer = self.put(id, picture).await?;
        ensure!(answer.status() == 201, "{}: {}", answer.status(), answer.text().await?);
        Ok(id)
    }

    /// The receipt as JSON.
    pub async fn see(&self, id: Uuid) -> anyhow::Result<Value> {
        let answer = self.http.get(self.url(&format!("/receipts/{id}"))).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Waits until `wanted` accepts the receipt, and returns it.
    pub async fn see_until(
        &self,
        id: Uuid,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let seen = timeout(TIMEOUT, async {
            loop {
                let receipt = self.see(id).await?;
                if wanted(&receipt) {
                    return anyhow::Ok(receipt);
                }
                sleep(LOOK_EVERY).await;
            }
        });
        match seen.await {
            Ok(receipt) => receipt,
            Err(_) => anyhow::bail!("the receipt is still {}", self.see(id).await?),
        }
    }

    /// Waits for the verdict.
    pub async fn verdict(&self, id: Uuid) -> anyhow::Result<Value> {
        self.see_until(id, |receipt| !receipt["verdict"].is_null()).await
    }

    pub async fn cancel(&self, id: Uuid) -> anyhow::Result<Response> {
        Ok(self.http.post(self.url(&format!("/receipts/{id}/cancel"))).send().await?)
    }

    /// Waits until no message of the scanner waits or is in flight, and says how many are dead.
    pub async fn drained(&self) -> anyhow::Result<usize> {
        let queue = self.system.account.service("scanner").and_then(|it| it.queue.clone());
        let queue = queue.context("the scanner has no queue")?;
        let drained = async {
            while self.depth(&queue.url).await? > 0 {
                sleep(LOOK_EVERY).await;
            }
            self.depth(&queue.dead_letter_url.context("no dead-letter queue")?).await
        };
        timeout(TIMEOUT, drained).await.context("the scanner's queue is not empty")?
    }

    async fn depth(&self, url: &str) -> anyhow::Result<usize> {
        let sqs = aws_sdk_sqs::Client::new(&self.target.config().await);
        let all = aws_sdk_sqs::types::QueueAttributeName::All;
        let got = sqs.get_queue_attributes().queue_url(url).attribute_names(all).send().await?;
        let counts = got.attributes.unwrap_or_default().into_iter();
        let counts = counts.filter(|(name, _)| name.as_str().starts_with("ApproximateNumber"));
        counts.map(|(_, count)| Ok(count.parse::<usize>()?)).sum()
    }

    /// The keys of all pictures in the bucket.
    pub async fn pictures(&self) -> anyhow::Result<Vec<String>> {
        let s3 = aws_sdk_s3::Client::new(&self.target.config().await);
        let web = self.system.account.service("web").context("no web")?;
        let list = s3.list_objects_v2().bucket(web.variable("PICTURES_BUCKET_NAME")?);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let objects = page?.contents.unwrap_or_default();
            keys.extend(objects.into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }
}

/// A copy of the files in which the scanner's queue has another visibility timeout.
fn with_visibility(seconds: u32) -> anyhow::Result<TempDir> {
    let from = build::files_directory(Some(Path::new("examples/receipts/copilot")));
    let copy = TempDir::new()?;
    copy_all(&from, &copy.path().join("copilot"))?;
    let manifest = copy.path().join("copilot/scanner/manifest.yml");
    let text = fs::read_to_string(&manifest)?;
    let changed = text.replace("timeout: 30s", &format!("timeout: {seconds}s"));
    ensure!(changed != text, "the manifest has no timeout of 30 s");
    fs::write(&manifest, changed)?;
    Ok(copy)
}

fn copy_all(from: &Path, to: &PathBuf) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|it| (it.path(), it.file_name()))?;
        if path.is_dir() {
            copy_all(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
