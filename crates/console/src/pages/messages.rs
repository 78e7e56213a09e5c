//! The topics with their subscriptions, and the queues.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use askama::Template;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use futures_util::future::try_join_all;

use super::part::{Main, made};
use crate::{app::App, times};

#[derive(Template)]
#[template(path = "messages.html")]
struct Page {
    topics: BTreeMap<String, Vec<Subscription>>,
    queues: Vec<Queue>,
    has_ledger: bool,
}

struct Subscription {
    queue: String,
    filter: String,
    /// Where a message goes that the queue refuses.
    undelivered: String,
}

/// A queue, and how many messages it has.
pub struct Queue {
    pub name: String,
    pub waiting: u64,
    pub in_flight: u64,
    pub oldest: Option<String>,
    pub sent: String,
    pub deleted: String,
    /// Its dead-letter queue.
    pub letters: Option<String>,
    /// The queue whose dead letters it has.
    pub source: Option<String>,
}

pub async fn main(app: &App) -> anyhow::Result<Main> {
    let (topics, queues) = tokio::try_join!(topics(app), queues(app, None))?;
    let page = Page { topics, queues, has_ledger: app.sources.ledger.is_some() };
    made("Messages", &page)
}

async fn topics(app: &App) -> anyhow::Result<BTreeMap<String, Vec<Subscription>>> {
    let listed = app.sns.list_topics().send().await.context("listing the topics")?;
    let arns = listed.topics.unwrap_or_default().into_iter().filter_map(|it| it.topic_arn);
    let topics = arns.map(async |arn| {
        let list = app.sns.list_subscriptions_by_topic().topic_arn(&arn).send().await;
        let list = list.context("listing the subscriptions")?.subscriptions.unwrap_or_default();
        let each = list.into_iter().map(async |it| {
            let get = app.sns.get_subscription_attributes();
            let get = get.set_subscription_arn(it.subscription_arn).send().await;
            let attributes = get.context("reading a subscription")?.attributes;
            let filter = attributes.and_then(|mut it| it.remove("FilterPolicy"));
            let filter = filter.filter(|it| it != "{}");
            let queue = it.endpoint.unwrap_or_default();
            let undelivered = app.sources.account.undelivered.get(&(arn.clone(), queue.clone()));
            anyhow::Ok(Subscription {
                queue: last(queue),
                filter: filter.unwrap_or_else(|| "every message".to_owned()),
                undelivered: undelivered.map(last).unwrap_or_default(),
            })
        });
        anyhow::Ok((last(&arn), try_join_all(each).await?))
    });
    Ok(try_join_all(topics).await?.into_iter().collect())
}

/// All queues, those with dead letters after those that they belong to; or one of them alone.
pub async fn queues(app: &App, only: Option<&str>) -> anyhow::Result<Vec<Queue>> {
    let listed = app.sqs.list_queues().send().await.context("listing the queues")?;
    let known = app.sources.ledger.as_ref().map(|it| it.queues()).unwrap_or_default();
    let mut urls = listed.queue_urls.unwrap_or_default();
    urls.retain(|url| only.is_none_or(|name| last(url) == name));
    let now = SystemTime::now();
    let queues = urls.iter().map(async |url| {
        let get = app.sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All);
        let attributes = get.send().await.context("reading a queue")?.attributes;
        let count = |name: Name| {
            let text = attributes.as_ref().and_then(|it| it.get(&name));
            text.and_then(|it| it.parse().ok()).unwrap_or(0)
        };
        let name = last(url);
        let noted = known.get(&name);
        let rate = noted.map(|it| it.rate(now)).unwrap_or_default();
        let source = known.iter().find(|(_, it)| it.dead_letters.as_ref() == Some(&name));
        anyhow::Ok(Queue {
            waiting: count(Name::ApproximateNumberOfMessages)
                + count(Name::ApproximateNumberOfMessagesDelayed),
            in_flight: count(Name::ApproximateNumberOfMessagesNotVisible),
            oldest: noted.and_then(|it| it.oldest).map(times::age),
            sent: a_second(rate.sent),
            deleted: a_second(rate.deleted),
            letters: noted.and_then(|it| it.dead_letters.clone()),
            source: source.map(|(name, _)| name.clone()),
            name,
        })
    });
    let mut queues = try_join_all(queues).await?;
    queues.sort_by_key(|it| (it.source.is_some(), it.name.clone()));
    Ok(queues)
}

fn a_second(rate: f64) -> String {
    if rate == 0.0 { "–".to_owned() } else { format!("{rate:.1}/s") }
}

/// The name of a resource, by its ARN or its URL.
fn last(arn: impl AsRef<str>) -> String {
    arn.as_ref().rsplit([':', '/']).next().unwrap_or_default().to_owned()
}

/// A duration as a person reads it.
pub fn left(until: SystemTime) -> String {
    times::in_words(until.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO))
}
