//! Which webhooks are genuine. Nothing of a request is read before that.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::{HeaderMap, StatusCode};
use pubsub::env::Misconfigured;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Key,
    WebhookError,
};
use web::Problem;

use crate::secrets::Secrets;

/// How secrets begin.
const PREFIX: &str = "whsec_";
/// The Base64 of 24 to 64 bytes: the lengths that the specification allows.
const BASE64_LENGTH: std::ops::RangeInclusive<usize> = 32..=88;
/// The longest id, in characters; a deduplication id of SNS has at most as many.
const MAX_ID: usize = 128;
/// The most digits of a time: enough for the next 30,000 years, and for no overflow.
const MAX_DIGITS: usize = 12;

/// The sources, and the secrets that each may sign with: several while one replaces another.
#[derive(Clone)]
pub struct Sources(Arc<BTreeMap<String, Vec<Key>>>);

impl Sources {
    /// Reads a JSON object of sources and lists of secrets. Errors quote none of it: even a name
    /// may be a secret that went astray.
    pub fn read(secrets: &Secrets) -> Result<Self, Misconfigured> {
        let wrong = |what: &str| Misconfigured(format!("WEBHOOK_SECRETS {what}"));
        let read = serde_json::from_str::<BTreeMap<String, Vec<String>>>(secrets.reveal());
        let read = read.map_err(|error| {
            let place = format!("at line {} column {}", error.line(), error.column());
            wrong(&format!("is not a JSON object of sources and lists of secrets, {place}"))
        })?;
        let mut sources = BTreeMap::new();
        for (number, (name, secrets)) in (1..).zip(read) {
            let fits =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if !(1..=40).contains(&name.len()) || !name.bytes().all(fits) {
                let what = "has 1 to 40 small letters, digits and hyphens";
                return Err(wrong(&format!("names source {number} wrongly: a name {what}")));
            }
            let keys: Option<Vec<_>> = secrets.iter().map(|it| key(it)).collect();
            match keys.filter(|keys| !keys.is_empty()) {
                Some(keys) => sources.insert(name, keys),
                None => {
                    let what =
                        "has a list of secrets, each whsec_ and the Base64 of 24 to 64 bytes";
                    return Err(wrong(&format!("is wrong for {name}: a source {what}")));
                }
            };
        }
        Ok(Self(Arc::new(sources)))
    }

    /// The names of all sources, separated by commas.
    pub fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The keys of a source; `None` if there is no such source.
    pub fn keys(&self, source: &str) -> Option<&[Key]> {
        self.0.get(source).map(Vec::as_slice)
    }
}

fn key(secret: &str) -> Option<Key> {
    let encoded = secret.strip_prefix(PREFIX)?;
    BASE64_LENGTH.contains(&encoded.len()).then(|| Key::new(encoded).ok())?
}

/// The id of a genuine webhook.
///
/// # Errors
///
/// 400 if a header is missing or wrong, 403 if its time or its signature is.
pub fn verified(keys: &[Key], headers: &HeaderMap, body: &[u8]) -> Result<String, Problem> {
    let id = header(headers, HEADER_WEBHOOK_ID)?;
    // A dot separates what is signed, so an id has none.
    if id.len() > MAX_ID || id.contains('.') || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = format!("has 1 to {MAX_ID} visible characters of ASCII, and no dot");
        return Err(malformed(format!("The header {HEADER_WEBHOOK_ID} {what}.")));
    }
    let time = header(headers, HEADER_WEBHOOK_TIMESTAMP)?;
    if time.len() > MAX_DIGITS || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        let what = "is the time in seconds since 1970";
        return Err(malformed(format!("The header {HEADER_WEBHOOK_TIMESTAMP} {what}.")));
    }
    header(headers, HEADER_WEBHOOK_SIGNATURE)?;
    // All keys are tried, so that the time says nothing about which of them it was.
    let tried: Vec<_> = keys.iter().map(|key| key.verify(body, headers)).collect();
    if tried.iter().any(Result::is_ok) {
        return Ok(id.to_owned());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        match tried.first() {
            Some(Err(WebhookError::TimestampTooOldError)) => {
                "The webhook was signed more than five minutes ago. Sign it again."
            }
            Some(Err(WebhookError::FutureTimestampError)) => {
                "The webhook was signed more than five minutes ahead. Set the clock."
            }
            _ => "The signature does not match.",
        },
    ))
}

/// A header that has to be there once, and not empty.
fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Problem> {
    let mut all = headers.get_all(name).iter();
    match (all.next().map(|value| value.to_str()), all.next()) {
        (Some(Ok(value)), None) if !value.is_empty() => Ok(value),
        _ => Err(malformed(format!("The header {name} is needed, once."))),
    }
}

fn malformed(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
