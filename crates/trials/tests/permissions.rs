//! Permissions: what each service may do is exactly what it does.
//!
//! Every call of the services is judged by the policies of `copilot/`. So a missing permission
//! fails whatever test needs it; here, each feature names the permissions that it is the first to
//! use, and what no feature uses has to be excused.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use account::iam::{Judge, grants::Grant};
use anyhow::Context as _;
use deployment::description::Kind;
use local::build;
use pubsub::health;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

mod test_system;

use test_system::{LOOK_EVERY, TIMEOUT, TestSystem, webhooks::payment};

type Outcome = anyhow::Result<()>;

/// Permissions that no feature uses: what each begins with after the service, and the reason.
const EXCUSES: [(&str, &str); 6] = [
    ("logs:", "of the collector beside the service, and there is none here"),
    ("xray:", "of the collector beside the service, and there is none here"),
    ("sqs:ReceiveMessage on arn:aws:sqs:*-DeadLetterQueue", "Copilot grants it in every stack"),
    ("sqs:DeleteMessage on arn:aws:sqs:*-DeadLetterQueue", "Copilot grants it in every stack"),
    ("sqs:SendMessage on arn:aws:sqs:*-statusDeadLetters", "here SNS drops what a queue refuses"),
    ("sqs:SendMessage on arn:aws:sqs:*-UndeliveredQueue", "here SNS drops what a queue refuses"),
];

/// The features, each with the permissions that it used first.
struct Report<'a> {
    judge: &'a Judge,
    unused: Vec<Grant>,
    lines: Vec<String>,
}

impl Report<'_> {
    fn used_by(&mut self, feature: &str) {
        let allowed = self.judge.allowed();
        let (used, unused): (Vec<_>, _) =
            self.unused.drain(..).partition(|grant| grant.is_used(&allowed));
        self.unused = unused;
        self.lines.push(format!("{feature}:"));
        self.lines.extend(used.iter().map(|grant| format!("  {grant}")));
    }

    /// The permissions that nothing uses and nothing excuses, and the excuses that excuse nothing.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut needed = BTreeSet::new();
        for grant in &self.unused {
            match EXCUSES.iter().find(|(pattern, _)| is_excused(grant, pattern)) {
                Some((pattern, _)) => drop(needed.insert(*pattern)),
                None => wrong.push(format!("no feature uses {grant} (policy {})", grant.policy)),
            }
        }
        let idle = EXCUSES.iter().filter(|(pattern, _)| !needed.contains(pattern));
        wrong.extend(idle.map(|(pattern, _)| format!("{pattern} needs no excuse any more")));
        wrong
    }
}

fn is_excused(grant: &Grant, pattern: &str) -> bool {
    let said = format!("{} on {}", grant.action, grant.resource);
    let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
    said.starts_with(start) && said.ends_with(end)
}

#[tokio::test]
async fn every_permission_is_used_by_a_feature_or_excused() -> Outcome {
    let mut test = TestSystem::start().await?;
    let judge = test.system.target.judge.clone().context("nobody judges")?;
    let mut report = Report { judge: &judge, unused: judge.grants(), lines: Vec::new() };
    assert!(report.unused.len() > 20, "{:?}", report.unused);

    let id = test.order("Ada Lovelace", "80").await?;
    let done = |order: &Value| order["is_done"] == true && order.to_string().contains("granted");
    test.see_until(&id, done).await?;
    report.used_by("an order is placed, fulfilled, rewarded and shown");

    history_shows(&test, &id, "order.fulfilled").await?;
    report.used_by("the events of an order are kept and shown");

    test.until_listed(&id).await?;
    report.used_by("the latest orders are listed");

    let ping: Value = test.http.post(test.url("/ping")).send().await?.json().await?;
    test.logged("fulfilment", &[ping["message"].as_str().unwrap_or_default()]).await?;
    report.used_by("a ping reaches fulfilment");

    test.webhook("payments", &payment("payment.received", &id)).await?;
    test.see_until(&id, |order| order.to_string().contains("Payment pay_1: 80.00 received"))
        .await?;
    report.used_by("a payment is stored, announced and shown");

    flow_shows_every_queue(&test).await?;
    report.used_by("/flow shows the subscriptions and the depths");

    let services = test.system.account.services.iter();
    for worker in services.filter(|service| service.kind == Kind::Worker) {
        test.send_to_queue(&worker.name, "{ this is not an order").await?;
        test.dead_letters(&worker.name, 1).await?;
    }
    test.report(&Value::from("{ this is not a report")).await?;
    test.status_is_handled(1).await?;
    report.used_by("messages that nobody can read become dead letters");

    outbox_is_read(&judge).await?;
    report.used_by("orders and webhooks that were not announced are looked for");

    for name in test.system.names() {
        test.stop(&name).await?;
    }
    report.used_by("the services stop");

    println!("{}", report.lines.join("\n"));
    let wrong = report.wrong();
    assert!(wrong.is_empty(), "{wrong:#?}\nused:\n{}", report.lines.join("\n"));
    Ok(())
}

/// A copy of the Copilot files in which one text of a file is replaced, until it is repaired.
struct Changed {
    file: PathBuf,
    right: String,
    copilot: PathBuf,
    _directory: TempDir,
}

impl Changed {
    fn new(file: &str, text: &str, by: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (from, copilot) = (build::copilot_directory(), directory.path().join("copilot"));
        assert!(Command::new("cp").arg("-R").args([&from, &copilot]).status()?.success());
        let file = copilot.join(file);
        let right = fs::read_to_string(&file)?;
        assert!(right.contains(text), "{} has no {text:?}", file.display());
        fs::write(&file, right.replacen(text, by, 1))?;
        Ok(Self { file, right, copilot, _directory: directory })
    }

    async fn repair(&self, test: &mut TestSystem) -> Outcome {
        fs::write(&self.file, &self.right)?;
        test.system.reload().await?;
        Ok(())
    }
}

#[tokio::test]
async fn what_a_missing_permission_holds_up_goes_on_once_it_is_there() -> Outcome {
    let remove = "- op: remove\n  path: /Resources/TaskRole/Properties/Policies/1\n# What";
    let cases = [
        ("addons/couponsTable.yml", "dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:PutItem"),
        ("overrides/cfn.patches.yml", "# What", remove, "SNS:Publish"),
    ];
    for (file, text, by, action) in cases {
        let changed = Changed::new(&format!("promotion/{file}"), text, by)?;
        let mut test = TestSystem::start_from(changed.copilot.clone(), &[]).await?;
        let id = test.order("Ada Lovelace", "80").await?;
        let refused = format!("is not authorized to perform: {action} on resource: arn:aws:");
        let why = format!("because no identity-based policy allows the {action} action");
        test.logged("promotion", &[&refused, &why]).await?;
        test.logged("promotion", &["dependency is unavailable; the message is kept"]).await?;
        test.see_until(&id, |order| order["is_done"] == true).await?;
        test.dead_letters("promotion", 0).await.context("it is neither lost nor given up")?;

        changed.repair(&mut test).await?;
        test.see_until(&id, |order| order.to_string().contains("granted")).await?;
        test.system.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_that_may_not_delete_is_unhealthy_and_says_why() -> Outcome {
    let path = "/Resources/QueuePolicy/Properties/PolicyDocument/Statement/0/Action/1";
    let patch = format!("- op: replace\n  path: {path}\n  value: sqs:GetQueueUrl\n# What");
    let changed = Changed::new("fulfilment/overrides/cfn.patches.yml", "# What", &patch)?;
    let mut test = TestSystem::start_from(changed.copilot.clone(), &[]).await?;
    let port = test.system.variables("fulfilment")?["HEALTH_PORT"].parse()?;
    let id = test.order("Ada Lovelace", "50").await?;
    test.see_until(&id, |order| order["is_done"] == true).await?;
    let healthy = async |wanted: bool| {
        loop {
            let answer = health::check(port, "/").await;
            if answer.is_ok() == wanted {
                return answer;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    let unhealthy = timeout(TIMEOUT, healthy(false)).await.context("it stays healthy")?;
    let why = format!("{:#}", unhealthy.unwrap_err());
    assert!(why.contains("cannot delete from the queue"), "{why}");
    assert!(why.contains("is not authorized to perform: sqs:deletemessage"), "{why}");

    changed.repair(&mut test).await?;
    timeout(TIMEOUT, healthy(true)).await.context("it stays unhealthy")??;
    test.system.stop().await
}

/// Waits until a publisher has looked for orders and webhooks that were not announced: in all
/// shards at once while there are none, and shard by shard after one was stored.
async fn outbox_is_read(judge: &Judge) -> Outcome {
    let is_read = |table: &str, action: &str| {
        let index = format!("{table}/index/outbox");
        let allowed = judge.allowed();
        allowed.iter().any(|it| it.asked.action == action && it.asked.resource.ends_with(&index))
    };
    let read = async {
        for table in ["ordersTable", "webhooksTable"] {
            for action in ["dynamodb:Scan", "dynamodb:Query"] {
                while !is_read(table, action) {
                    sleep(LOOK_EVERY).await;
                }
            }
        }
    };
    timeout(TIMEOUT, read).await.context("no publisher reads the outbox")
}

/// Waits until the history of the order `id` has an event of this type.
async fn history_shows(test: &TestSystem, id: &str, event_type: &str) -> Outcome {
    let shown = async {
        let page = || test.http.get(test.url(&format!("/orders/{id}/history"))).send();
        while !page().await?.error_for_status()?.text().await?.contains(event_type) {
            sleep(LOOK_EVERY).await;
        }
        anyhow::Ok(())
    };
    timeout(TIMEOUT, shown).await.with_context(|| format!("there is no {event_type} of {id}"))?
}

/// Waits until the picture has both workers, with the depths of their queues.
async fn flow_shows_every_queue(test: &TestSystem) -> Outcome {
    let shown = async {
        loop {
            let get = test.http.get(test.url("/flow")).header("accept", "application/json");
            let picture: Value = get.send().await?.json().await?;
            let text = picture.to_string();
            if text.contains("fulfilment")
                && text.contains("promotion")
                && text.contains("\"dead\"")
            {
                return anyhow::Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(TIMEOUT, shown).await.context("no depths on /flow")?
}
