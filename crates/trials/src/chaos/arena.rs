//! What a run takes place in: an AWS account, a proxy that makes calls fail, and the services'
//! binaries and logs.

use std::path::{Path, PathBuf};

use account::{
    dead_letters::DeadLetters,
    embedded::EmbeddedAccount,
    endpoint::{Endpoint, Settings},
    provision::{Account, ENVIRONMENT, Queue},
    proxy::{Conditions, Plan, Proxy},
};
use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use deployment::{Deployment, copilot};
use local::{build, log::Log, process::Line};
use orders::{event::ORDERS_TOPIC, order::Amount};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

/// How long a received message is hidden: less than in the manifests, so that the messages of a
/// killed worker are soon redelivered. It is the shortest that the runtime accepts.
pub const VISIBILITY_SECONDS: u32 = 10;
const AUDIT_QUEUE: &str = "chaos-audit";

/// An account as the deployment describes it, and all that the services need to run.
pub struct Arena {
    /// The AWS endpoint.
    pub endpoint: Endpoint,
    /// A configuration for clients that bypass the proxy, for the audit.
    pub aws: SdkConfig,
    /// The resources and the services.
    pub account: Account,
    /// The proxy through which the services reach the endpoint.
    pub proxy: Proxy,
    /// The URL below which each service gets its credentials; without one, they have fixed ones.
    pub credentials: Option<String>,
    /// The lines that the services logged.
    pub log: Log,
    /// Receives the lines of the services.
    pub lines: UnboundedSender<Line>,
    /// The directory of the services' binaries.
    pub binaries: PathBuf,
    /// The URL of a queue that receives every announcement.
    pub audit_queue: String,
    /// The lowest total that promotion's filter policy lets through; `None` if it lets all through.
    pub coupons_from: Option<Amount>,
}

impl Arena {
    /// Creates the account for services whose binaries are in `binaries`. It has the habits of AWS,
    /// and their calls fail as `plan` draws.
    pub async fn set_up(binaries: PathBuf, plan: Plan) -> anyhow::Result<Self> {
        let deployment = copilot::read(&build::copilot_directory(), ENVIRONMENT)?;
        let settings = Settings::loopback(0).like_aws(plan.seed);
        let embedded = EmbeddedAccount::start(&deployment, &settings).await?;
        let EmbeddedAccount { endpoint, target, account } = embedded;
        let conditions = Conditions { faults: Some(plan), ..Conditions::default() };
        let proxy = Proxy::start(&endpoint.url, conditions).await?;
        let aws = target.config().await;
        shorten_visibility(&aws, &account).await?;
        let audit_queue = subscribe_audit_queue(&aws, &account).await?;
        let coupons_from = coupons_from(&deployment)?;
        let (log, lines) = Log::new();
        Ok(Self {
            endpoint,
            aws,
            account,
            proxy,
            credentials: None,
            log,
            lines,
            binaries,
            audit_queue,
            coupons_from,
        })
    }

    /// The queues of the services.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        queues(&self.account)
    }

    /// The dead-letter queues of the services.
    pub fn dead_letters(&self) -> Vec<DeadLetters> {
        let sqs = aws_sdk_sqs::Client::new(&self.aws);
        let with_dead_letters = self.queues().filter_map(|queue| {
            let url = queue.dead_letter_url.clone()?;
            Some(DeadLetters::new(sqs.clone(), url, queue.url.clone()))
        });
        with_dead_letters.collect()
    }

    /// Writes the logs of the services to a directory, a file for each service.
    pub async fn keep_logs(&self, directory: &Path) -> anyhow::Result<()> {
        tokio::fs::create_dir_all(directory).await?;
        for service in self.account.services.iter().map(|service| &service.name) {
            let path = directory.join(format!("{service}.log"));
            tokio::fs::write(path, self.log.of(service).join("\n")).await?;
        }
        Ok(())
    }

    /// Whether an order of this total earns a coupon.
    pub fn earns_coupon(&self, total: Amount) -> bool {
        self.coupons_from.is_none_or(|from| from <= total)
    }

    /// The name of a table: the value of `variable` in the environment of `service`.
    pub fn table(&self, service: &str, variable: &str) -> anyhow::Result<&str> {
        let found = self.account.service(service);
        found.with_context(|| format!("there is no service {service}"))?.variable(variable)
    }
}

fn queues(account: &Account) -> impl Iterator<Item = &Queue> {
    account.services.iter().filter_map(|service| service.queue.as_ref())
}

async fn shorten_visibility(aws: &SdkConfig, account: &Account) -> anyhow::Result<()> {
    let sqs = aws_sdk_sqs::Client::new(aws);
    for queue in queues(account) {
        let visibility = VISIBILITY_SECONDS.to_string();
        sqs.set_queue_attributes()
            .queue_url(&queue.url)
            .attributes(QueueAttributeName::VisibilityTimeout, visibility)
            .send()
            .await
            .context("shortening the visibility timeout")?;
    }
    Ok(())
}

/// Creates a queue that receives every announcement, and returns its URL.
async fn subscribe_audit_queue(aws: &SdkConfig, account: &Account) -> anyhow::Result<String> {
    let sqs = aws_sdk_sqs::Client::new(aws);
    let created = sqs.create_queue().queue_name(AUDIT_QUEUE).send().await?;
    let url = created.queue_url.context("the audit queue has no URL")?;
    let attributes = sqs.get_queue_attributes().queue_url(&url);
    let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await?;
    let arn = attributes.attributes.and_then(|mut it| it.remove(&QueueAttributeName::QueueArn));
    let arn = arn.context("the audit queue has no ARN")?;
    sqs.set_queue_attributes()
        .queue_url(&url)
        .attributes(QueueAttributeName::Policy, deliveries_allowed(&arn))
        .send()
        .await?;
    let publisher = account.service("publisher").context("there is no publisher")?;
    aws_sdk_sns::Client::new(aws)
        .subscribe()
        .topic_arn(publisher.topic_arn(ORDERS_TOPIC)?)
        .protocol("sqs")
        .endpoint(arn)
        .send()
        .await?;
    Ok(url)
}

/// A policy that lets SNS deliver to a queue.
fn deliveries_allowed(queue_arn: &str) -> String {
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// The lowest total that promotion's filter policy lets through; `None` if it lets all through.
fn coupons_from(deployment: &Deployment) -> anyhow::Result<Option<Amount>> {
    let promotion = deployment.service("promotion").context("there is no promotion")?;
    let mut policies = deployment.filter_policies(promotion);
    let bound = policies.next().and_then(|policy| policy.lower_bound("amount"));
    let bound = bound.filter(|bound| bound.as_f64().is_some_and(|it| it > 0.0));
    let amount = bound.map(|bound| bound.to_string().parse());
    Ok(amount.transpose()?)
}
