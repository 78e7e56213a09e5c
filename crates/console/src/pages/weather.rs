//! What fails of AWS, and in which way.

use std::collections::BTreeSet;

use account::proxy::{
    Way,
    weather::{EVERYTHING, Weather},
};
use askama::Template;

use super::part::{Main, made};
use crate::{app::App, sky};

/// Services and operations that can fail, from the whole to its parts.
const CALLS: [&str; 10] = [
    "DynamoDB",
    "DynamoDB.PutItem",
    "DynamoDB.UpdateItem",
    "DynamoDB.Query",
    "SNS",
    "SNS.Publish",
    "SQS",
    "SQS.ReceiveMessage",
    "SQS.DeleteMessage",
    "SQS.ChangeMessageVisibility",
];
/// A call cannot be refused by a connection that others share.
const NOT_FOR_CALLS: Way = Way::Refused;

#[derive(Template)]
#[template(path = "weather.html")]
struct Page<'a> {
    token: &'a str,
    can_change: bool,
    now: Option<Weather>,
    calls: Vec<&'a str>,
    resources: BTreeSet<String>,
    ways: Vec<(String, &'static str)>,
}

pub async fn main(app: &App) -> anyhow::Result<Main> {
    let can_change = app.sources.weather.is_some();
    let page = Page {
        token: &app.token,
        can_change,
        now: if can_change { sky::now(app).await? } else { None },
        calls: [EVERYTHING].into_iter().chain(CALLS).collect(),
        resources: resources(app).await?,
        ways: ways(),
    };
    made("Weather", &page)
}

/// The ways, each with what it means.
fn ways() -> Vec<(String, &'static str)> {
    let all = Way::ALL.into_iter().filter(|(way, _)| *way != NOT_FOR_CALLS);
    let meaning = |way| match way {
        Way::ServerError => "answers 500",
        Way::Throttled => "answers that there are too many requests",
        Way::Hanging => "does not answer",
        Way::Reset | Way::Refused => "resets the connection",
        Way::AnswerLost => "does it, and the answer is lost",
        Way::Denied => "answers that the permission is missing",
        Way::Half => "answers 500 to half of the calls",
        Way::Slow => "answers two seconds late",
    };
    all.map(|(way, name)| (name.to_owned(), meaning(way))).collect()
}

/// The names of all tables, topics and queues.
async fn resources(app: &App) -> anyhow::Result<BTreeSet<String>> {
    let (tables, topics, queues) = tokio::join!(
        app.dynamodb.list_tables().send(),
        app.sns.list_topics().send(),
        app.sqs.list_queues().send()
    );
    let mut names: BTreeSet<_> = tables?.table_names.unwrap_or_default().into_iter().collect();
    let topics = topics?.topics.unwrap_or_default().into_iter().filter_map(|it| it.topic_arn);
    names.extend(topics.map(|arn| last(&arn, ':')));
    names.extend(queues?.queue_urls.unwrap_or_default().iter().map(|url| last(url, '/')));
    Ok(names)
}

fn last(text: &str, separator: char) -> String {
    text.rsplit(separator).next().unwrap_or_default().to_owned()
}
