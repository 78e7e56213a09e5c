//! Decides which requests are valid, with a second and simpler implementation of the rules.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::generate::{FORM, JSON, Sent};

/// An order as it was entered.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    customer: String,
    cents: u64,
}

/// The order in a request; `None` if the request is invalid.
pub fn read(sent: &Sent) -> Option<Typed> {
    if sent.body.len() > 16 * 1024 {
        None
    } else if sent.path == "/" {
        form(sent)
    } else {
        json(sent)
    }
}

/// The id and the content of an order in DynamoDB.
pub fn stored(item: &HashMap<String, AttributeValue>) -> (String, Typed) {
    let id = item["id"].as_s().unwrap().clone();
    let customer = item["customer"].as_s().unwrap().clone();
    let cents = cents(item["amount"].as_n().unwrap()).unwrap();
    (id, Typed { customer, cents })
}

fn form(sent: &Sent) -> Option<Typed> {
    if sent.content_type != Some(FORM) {
        return None;
    }
    let fields = sent.body.split(|byte| *byte == b'&');
    let fields = fields.filter(|it| !it.is_empty()).map(|field| {
        let mut halves = field.splitn(2, |byte| *byte == b'=');
        let mut half = || percent_decoded(halves.next().unwrap_or_default());
        (half(), half())
    });
    let [id, customer, total] = only(["id", "customer", "total"], fields)?;
    let id = id.unwrap_or_default();
    let hex = id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    // Decoding replaces invalid UTF-8 by U+FFFD.
    let readable = customer.filter(|it| !it.contains('\u{fffd}'))?;
    (id.is_empty() || id.len() == 36 && hex).then(|| typed(&readable, &total?))?
}

fn json(sent: &Sent) -> Option<Typed> {
    if sent.content_type != Some(JSON) || !sent.idempotency_key.as_deref().is_none_or(is_key) {
        return None;
    }
    let Members(members) = serde_json::from_slice(&sent.body).ok()?;
    let [customer, amount] = only(["customer", "amount"], members.into_iter())?;
    let amount = amount?;
    let amount = serde_json::from_str(amount.get()).unwrap_or(amount.get().to_owned());
    typed(&serde_json::from_str::<String>(customer?.get()).ok()?, &amount)
}

/// Whether a key has the digits of a random UUID.
fn is_key(key: &[u8]) -> bool {
    let key = key.trim_ascii();
    let parts: Vec<_> = key.split(|byte| *byte == b'-').collect();
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && parts.concat().iter().all(u8::is_ascii_hexdigit)
        && matches!(parts[2][0], b'4' | b'7')
        && matches!(parts[3][0], b'8' | b'9' | b'a' | b'b' | b'A' | b'B')
}

/// The first and the last of each range of characters that nobody sees, in hexadecimal.
const INVISIBLE: &str = "ad-ad 34f-34f 61c-61c 115f-1160 17b4-17b5 180b-180f 200b-200f 202a-202e \
    2060-206f 2800-2800 3164-3164 fe00-fe0f feff-feff ffa0-ffa0 fff0-fff8 1bca0-1bca3 \
    1d173-1d17a e0000-e0fff";

fn can_be_seen(name: &str) -> bool {
    let number = |hex| u32::from_str_radix(hex, 16).unwrap();
    let ranges: Vec<_> = INVISIBLE
        .split_whitespace()
        .map(|range| range.split_once('-').unwrap())
        .map(|(first, last)| number(first)..=number(last))
        .collect();
    let is_seen = |it: char| {
        !it.is_whitespace() && !ranges.iter().any(|range| range.contains(&u32::from(it)))
    };
    name.chars().any(is_seen)
}

fn typed(customer: &str, total: &str) -> Option<Typed> {
    let customer = customer.trim().to_owned();
    let allowed = |it: char| {
        let turns = "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        !it.is_control() && !"\u{fffe}\u{ffff}\u{2028}\u{2029}".contains(it) && !turns.contains(it)
    };
    let valid = (1..=100).contains(&customer.chars().count()) && customer.chars().all(allowed);
    let cents = cents(total.trim()).filter(|cents| (1..100_000_000_000).contains(cents))?;
    (valid && can_be_seen(&customer)).then_some(Typed { customer, cents })
}

/// Reads digits, optionally followed by a point and one or two more digits.
fn cents(text: &str) -> Option<u64> {
    let (whole, cents) = match text.split_once('.') {
        Some((whole, cents)) => (whole, format!("{cents:0<2}")),
        None => (text, "00".to_owned()),
    };
    let empty = whole.is_empty() || text.ends_with('.');
    let digits = format!("{whole}{cents}");
    let valid = !empty && cents.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().ok())?
}

/// The values of the named fields; `None` if there is another field or a duplicate.
fn only<const N: usize, T>(
    names: [&str; N],
    fields: impl Iterator<Item = (String, T)>,
) -> Option<[Option<T>; N]> {
    let mut values = [const { None }; N];
    for (name, value) in fields {
        let slot = &mut values[names.iter().position(|it| *it == name)?];
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some(values)
}

/// Decodes form encoding. An invalid escape is kept unchanged.
fn percent_decoded(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let escape = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let escape = escape.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (first, escape) {
            (b'%', Some(hex)) => {
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The members of a JSON object with their original text, including duplicates.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
