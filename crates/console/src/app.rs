//! What the pages share.

use std::{collections::BTreeMap, sync::Arc};

use account::{
    ledger::Ledger,
    provision::{Account, Target},
};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::Client as Sqs;
use rand::{RngExt as _, distr::Alphanumeric};

use crate::{
    http::Http, logs::Logs, processes::Processes, sky::Sky, spans::Spans, traffic::Traffic,
    usage::Usage,
};

/// Letters and digits of a token, which nobody guesses.
const TOKEN_LENGTH: usize = 32;

/// What the console shows and steers. Without a part, its pages say so.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The resources of the account.
    pub account: Account,
    /// How to reach it.
    pub target: Target,
    /// Its ledger, if it is in this process.
    pub ledger: Option<Ledger>,
    /// The URL at which its weather changes.
    pub weather: Option<String>,
    /// The URL of the publisher, as this process reaches it.
    pub page: Option<String>,
    /// The same for a browser on this machine.
    pub page_in_browser: Option<String>,
    /// The processes of the services.
    pub processes: Option<Processes>,
    /// Their log lines.
    pub logs: Option<Logs>,
    /// Their spans.
    pub spans: Option<Spans>,
}

/// What a person chose or typed on a page.
pub type Choices = BTreeMap<String, String>;

/// What the pages share. A clone is cheap.
#[derive(Clone)]
pub struct App(Arc<Shared>);

pub struct Shared {
    pub sources: Sources,
    /// What changes something has to send it.
    pub token: String,
    pub usage: Usage,
    pub http: Http,
    pub traffic: Traffic,
    pub dynamodb: DynamoDb,
    pub sns: Sns,
    pub sqs: Sqs,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub async fn new(sources: Sources) -> Self {
        let aws = sources.target.config().await;
        let letters = rand::rng().sample_iter(Alphanumeric).take(TOKEN_LENGTH);
        Self(Arc::new(Shared {
            token: letters.map(char::from).collect(),
            usage: Usage::default(),
            http: Http::default(),
            traffic: Traffic::default(),
            dynamodb: DynamoDb::new(&aws),
            sns: Sns::new(&aws),
            sqs: Sqs::new(&aws),
            sources,
        }))
    }

    /// Where the weather changes, if it can.
    pub fn sky(&self) -> Option<Sky<'_>> {
        let url = self.sources.weather.as_deref()?;
        Some(Sky { http: &self.http, url })
    }
}
