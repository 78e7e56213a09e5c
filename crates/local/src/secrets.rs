//! The values of secrets on this machine. On AWS they come from SSM or Secrets Manager.

use std::{collections::BTreeMap, fmt};

use account::provision::Service;
use pubsub::env;
use rand::{RngExt as _, distr::Alphanumeric};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The variable with the sources of webhooks and their secrets.
pub const WEBHOOK_SECRETS: &str = "WEBHOOK_SECRETS";
/// The source that a laptop has.
const PAYMENTS: &str = "payments";
/// As many letters and digits are the Base64 of 24 bytes.
const LENGTH: usize = 32;

/// Secrets by the names of their variables. They are in no log, also not by accident.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// A secret for payments that is drawn now, unless the environment has secrets for webhooks.
    pub fn of_this_machine() -> Self {
        Self::from_environment().unwrap_or_else(|| {
            let letters = rand::rng().sample_iter(Alphanumeric).take(LENGTH).map(char::from);
            let secret = format!("whsec_{}", letters.collect::<String>());
            Self::of_webhooks(json!({ PAYMENTS: [secret] }).to_string())
        })
    }

    /// The sources of webhooks in the environment, if there are any.
    pub fn from_environment() -> Option<Self> {
        env::optional(WEBHOOK_SECRETS).map(Self::of_webhooks)
    }

    /// These sources of webhooks, as a JSON object of names and lists of secrets.
    pub fn of_webhooks(sources: String) -> Self {
        Self([(WEBHOOK_SECRETS.to_owned(), sources)].into())
    }

    /// What a source of webhooks signs with: the first of its secrets.
    pub fn of_source(&self, source: &str) -> Option<String> {
        let sources = serde_json::from_str::<Value>(self.0.get(WEBHOOK_SECRETS)?).ok()?;
        sources[source][0].as_str().map(str::to_owned)
    }

    /// The secrets that a service needs. Others than those here are taken from this process's
    /// environment; what is not there either is left out.
    pub fn of(&self, service: &Service) -> BTreeMap<String, String> {
        let names = service.secrets.iter();
        let value = |name: &String| self.0.get(name).cloned().or_else(|| env::optional(name));
        names.filter_map(|name| Some((name.clone(), value(name)?))).collect()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
