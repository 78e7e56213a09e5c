//! The running system of the test, its account behind a proxy, and what CloudWatch would know of
//! it.
//!
//! An export of metrics stands for that of a minute, so time passes some hundred times as fast.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use account::{
    endpoint::{self, Endpoint},
    proxy::{Calls, Conditions, Fault, Outage, Proxy},
};
use anyhow::{Context as _, ensure};
use aws_sdk_sqs::{Client, types::QueueAttributeName};
use local::build;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tokio::time::{sleep, timeout};

use crate::{
    alarm::{Metric, alarms},
    cloudwatch::CloudWatch,
    collector::{Collector, Point},
    test_system::{LOOK_EVERY, SEED, TIMEOUT, TestSystem},
};

/// The mailbox of the person who gets the alarms: a queue, in place of an e-mail address.
const MAILBOX: &str = "mailbox";
/// The most minutes that an alarm may take.
const PATIENCE: usize = 60;

pub struct Scene {
    pub test: TestSystem,
    pub proxy: Proxy,
    pub sqs: Client,
    pub cloudwatch: CloudWatch,
    collector: Collector,
    mailbox: String,
    /// How many points of the collector belong to minutes that are over.
    taken: usize,
    /// How many calls were throttled in minutes that are over.
    throttled: u64,
    /// Since when a queue has not been empty, in minutes.
    waiting: BTreeMap<String, usize>,
    /// Which writes are throttled: a table and an operation.
    pub throttling: Option<(String, &'static str)>,
    /// The requests of this minute, as the load balancer sees them.
    requests: Vec<(StatusCode, Duration)>,
    /// The alarms that fired.
    fired: BTreeSet<String>,
    _account: Endpoint,
}

impl Scene {
    pub async fn start() -> anyhow::Result<Self> {
        let account = endpoint::start(&endpoint::Settings::loopback(0).like_aws(SEED)).await?;
        let proxy = Proxy::start(&account.url, Conditions::default()).await?;
        let collector = Collector::start().await?;
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        ];
        let (target, files) = (account.target_through(&proxy.url), build::copilot_directory());
        let deployment = deployment::read(&files, account::provision::ENVIRONMENT)?;
        let test = TestSystem::start_at(Some(target), files, &variables).await?;
        let (sns, sqs) = (aws_sdk_sns::Client::new(&test.aws), Client::new(&test.aws));
        let mailbox = sqs.create_queue().queue_name(MAILBOX).send().await?;
        let mailbox = mailbox.queue_url.context("no mailbox")?;
        let attributes = sqs.get_queue_attributes().queue_url(&mailbox);
        let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let mut attributes = attributes.attributes.unwrap_or_default();
        let arn = attributes.remove(&QueueAttributeName::QueueArn).context("no ARN")?;
        let topics = sns.list_topics().send().await?.topics.unwrap_or_default();
        let mut topics = topics.iter().filter_map(|it| it.topic_arn());
        let topic = topics.find(|it| it.ends_with("-alarms")).context("no topic of alarms")?;
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }]});
        let allow = sqs.set_queue_attributes().queue_url(&mailbox);
        allow.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(arn).send().await?;
        let cloudwatch = CloudWatch::new(sns, alarms(&deployment));
        Ok(Self {
            test,
            proxy,
            sqs,
            cloudwatch,
            collector,
            mailbox,
            taken: 0,
            throttled: 0,
            waiting: BTreeMap::new(),
            throttling: None,
            requests: Vec::new(),
            fired: BTreeSet::new(),
            _account: account,
        })
    }

    /// Stops the system, and returns the alarms that fired.
    pub async fn stop(self) -> anyhow::Result<BTreeSet<String>> {
        self.test.system.stop().await?;
        Ok(self.fired)
    }

    /// Places an order of `total`, and counts the answer; without one, the load balancer's is 503.
    pub async fn order(&mut self, total: &str) -> anyhow::Result<()> {
        let order = json!({"customer": "Ada Lovelace", "amount": total});
        let begun = Instant::now();
        let answer = self.test.http.post(self.test.url("/orders")).json(&order).send().await;
        let status = answer.map_or(StatusCode::SERVICE_UNAVAILABLE, |it| it.status());
        self.requests.push((status, begun.elapsed()));
        Ok(())
    }

    /// Counts an answer to another request.
    pub fn answered(&mut self, status: StatusCode) {
        self.requests.push((status, Duration::ZERO));
    }

    /// Lets calls fail in this way, until it is changed.
    pub fn fault(&self, fault: Fault, of: &[(&str, &str)]) {
        let calls = |(operation, mentions): &(&str, &str)| Calls {
            operation: (*operation).to_owned(),
            mentions: (*mentions).to_owned(),
        };
        let of = of.iter().map(calls).collect();
        self.proxy.set_outages(vec![Outage::Calls { of, fault, percent: 100 }]);
    }

    pub fn repair(&mut self) {
        self.throttling = None;
        self.proxy.set_outages(Vec::new());
    }

    /// Lets a minute pass: the metrics of the services that run, and those of AWS.
    pub async fn minute(&mut self, running: &[&str]) -> anyhow::Result<()> {
        self.cloudwatch.begin_minute();
        let points = self.exported(running).await?;
        let prefix = "pubsub-test-";
        for Point { service, scope, name, attributes, value, .. } in points {
            let mut dimensions: BTreeMap<_, _> = attributes.into_iter().collect();
            dimensions.insert("OTelLib".to_owned(), scope);
            let namespace = format!("{prefix}{service}");
            self.cloudwatch.put(&namespace, &name, &dimensions, [value]);
        }
        let mut watched: Vec<Metric> = Vec::new();
        for alarm in &self.cloudwatch.alarms {
            watched.extend(alarm.metrics.iter().cloned());
        }
        let is_healthy = self.test.http.get(self.test.url("/ping")).send().await;
        let is_healthy = is_healthy.is_ok_and(|it| it.status().is_success());
        let throttled = self.throttled_so_far().await;
        let requests = std::mem::take(&mut self.requests);
        let mut depths = BTreeMap::new();
        for metric in &watched {
            let values: Vec<f64> = match metric.name.as_str() {
                "ApproximateNumberOfMessagesVisible" | "ApproximateAgeOfOldestMessage" => {
                    let queue = &metric.dimensions["QueueName"];
                    if !depths.contains_key(queue) {
                        depths.insert(queue.clone(), self.look_at(queue).await?);
                    }
                    let (visible, minutes) = depths[queue];
                    let is_age = metric.name.ends_with("OldestMessage");
                    vec![if is_age { 60.0 * minutes as f64 } else { visible as f64 }]
                }
                "HealthyHostCount" => vec![f64::from(u8::from(is_healthy))],
                "RequestCount" if is_healthy => vec![requests.len() as f64],
                "HTTPCode_Target_5XX_Count" if is_healthy => vec![errors(&requests)],
                "HTTPCode_ELB_5XX_Count" if !is_healthy => vec![errors(&requests)],
                "TargetResponseTime" => requests.iter().map(|it| it.1.as_secs_f64()).collect(),
                "ThrottledRequests" => {
                    let [table, operation] =
                        ["TableName", "Operation"].map(|it| metric.dimensions[it].as_str());
                    let is_it = self
                        .throttling
                        .as_ref()
                        .is_some_and(|it| it.0 == table && it.1 == operation);
                    if is_it { vec![(throttled - self.throttled) as f64] } else { Vec::new() }
                }
                _ => continue,
            };
            // Several alarms may watch the same metric.
            self.cloudwatch.put_once(metric, values);
        }
        self.throttled = throttled;
        self.cloudwatch.end_minute().await?;
        let in_alarm = self.cloudwatch.in_alarm();
        self.fired.extend(in_alarm);
        Ok(())
    }

    /// How many calls were throttled so far. A worker that probes makes some in a real minute, so
    /// this waits for one.
    async fn throttled_so_far(&self) -> u64 {
        let count = || self.proxy.counts().faults.get("throttle").copied().unwrap_or(0);
        let one_more = async {
            while self.throttling.is_some() && count() == self.throttled {
                sleep(LOOK_EVERY).await;
            }
        };
        let _ = timeout(TIMEOUT, one_more).await;
        count()
    }

    /// What the services in `running` export next.
    async fn exported(&mut self, running: &[&str]) -> anyhow::Result<Vec<Point>> {
        let taken = self.taken;
        let is_next = |seen: &crate::collector::Received, service: &&str| {
            // Every service has this gauge, which is exported last of all of its own.
            let mut new = seen.points[taken..].iter();
            new.any(|it| it.service == **service && it.name == "worker.breaker.open")
        };
        let all = |seen: &crate::collector::Received| running.iter().all(|it| is_next(seen, it));
        let exported = timeout(TIMEOUT, self.collector.seen.wait_for(all)).await;
        let points = exported.context("a service exports nothing")??.points[taken..].to_vec();
        self.taken += points.len();
        Ok(points)
    }

    /// How many messages of a queue are visible, and for how many minutes it has not been empty.
    async fn look_at(&mut self, queue: &str) -> anyhow::Result<(usize, usize)> {
        let url = self.sqs.get_queue_url().queue_name(queue).send().await?;
        let (visible, in_flight) = self.test.depth(&url.queue_url.context("no URL")?).await?;
        let minutes = self.waiting.entry(queue.to_owned()).or_default();
        *minutes = if visible + in_flight == 0 { 0 } else { *minutes + 1 };
        Ok((visible, *minutes))
    }

    /// Lets minutes pass until the alarms that end like this are on, and no other but those that
    /// `may` be; `each` is done in each.
    pub async fn until(
        &mut self,
        running: &[&str],
        expected: &[&str],
        may: &[&str],
        each: impl AsyncFn(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for _ in 0..PATIENCE {
            each(self).await?;
            self.minute(running).await?;
            let on = self.cloudwatch.in_alarm();
            let is_on = |it: &&str| on.iter().any(|name| name.ends_with(it));
            let is_meant = |name: &String| expected.iter().chain(may).any(|it| name.ends_with(it));
            ensure!(on.iter().all(is_meant), "{on:#?} in place of {expected:?}");
            if expected.iter().all(is_on) {
                return Ok(());
            }
        }
        anyhow::bail!("{:#?} in place of {expected:?}", self.cloudwatch.in_alarm())
    }

    /// What came into the mailbox since the last look: name, new state and description of alarms.
    pub async fn mail(&self) -> anyhow::Result<BTreeSet<(String, String, String)>> {
        let mut mail = BTreeSet::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.mailbox);
            let got = receive.max_number_of_messages(10).wait_time_seconds(1).send().await?;
            let messages = got.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(mail);
            }
            for message in messages {
                let body: Json = serde_json::from_str(&message.body.unwrap_or_default())?;
                let alarm: Json = serde_json::from_str(body["Message"].as_str().context("none")?)?;
                let text = |name: &str| alarm[name].as_str().unwrap_or_default().to_owned();
                let subject = body["Subject"].as_str().unwrap_or_default();
                ensure!(subject.starts_with(&text("NewStateValue")), "{subject}");
                mail.insert((text("AlarmName"), text("NewStateValue"), text("AlarmDescription")));
                let delete = self.sqs.delete_message().queue_url(&self.mailbox);
                delete.receipt_handle(message.receipt_handle.unwrap_or_default()).send().await?;
            }
        }
    }
}

fn errors(requests: &[(StatusCode, Duration)]) -> f64 {
    requests.iter().filter(|it| it.0.is_server_error()).count() as f64
}
