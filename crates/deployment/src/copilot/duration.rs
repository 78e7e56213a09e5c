//! Durations in Go's notation: `30s`, `96h`, `1m30s`. Copilot accepts neither `30` nor `5d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::{bare::Word, yaml::wrong};

/// Whole seconds from `MIN` to `MAX`, written as a Go duration.
///
/// AWS rejects others at deployment, and Copilot silently drops fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds<const MIN: u32, const MAX: u32>(pub u32);

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Seconds<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let GoDuration(duration) = GoDuration::deserialize(deserializer)?;
        if duration.subsec_nanos() != 0 {
            return Err(wrong("should be whole seconds: Copilot drops fractions"));
        }
        let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        if !(MIN..=MAX).contains(&seconds) {
            return Err(wrong(format!("is {seconds} s, but AWS accepts {MIN} s to {MAX} s")));
        }
        Ok(Self(seconds))
    }
}

/// Any duration that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Word(text) = Word::deserialize(deserializer)?;
        parse(&text).map(Self).ok_or_else(|| {
            wrong(format!("{text:?} is not a Go duration such as 30s, 5m, 96h or 1m30s"))
        })
    }
}

/// The grammar of Go's `time.ParseDuration`, without signs: a number and a unit, repeated.
fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split(rest, |letter| letter.is_ascii_digit() || letter == '.');
        let (unit, after) = split(after, |letter| !letter.is_ascii_digit() && letter != '.');
        total = total.checked_add(quantity(number, unit)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

fn quantity(number: &str, unit: &str) -> Option<Duration> {
    let nanoseconds: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let mut total = whole.parse::<u64>().ok()?.checked_mul(nanoseconds)?;
    let mut scale = nanoseconds;
    for digit in fraction.chars() {
        scale /= 10;
        total = total.checked_add(u64::from(digit.to_digit(10)?) * scale)?;
    }
    Some(Duration::from_nanos(total))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let examples = [
            ("0", Some(Duration::ZERO)),
            ("30s", Some(Duration::from_secs(30))),
            ("96h", Some(Duration::from_hours(96))),
            ("1m30s", Some(Duration::from_secs(90))),
            ("1.5h", Some(Duration::from_mins(90))),
            (".5s", Some(Duration::from_millis(500))),
            ("1.s", Some(Duration::from_secs(1))),
            ("500ms", Some(Duration::from_millis(500))),
            ("2µs3ns", Some(Duration::from_nanos(2003))),
            ("", None),
            ("30", None),
            ("s", None),
            (".s", None),
            ("5d", None),
            ("1 m", None),
            ("-1s", None),
            ("1..5s", None),
            ("99999999999999h", None),
        ];
        for (text, expected) in examples {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
