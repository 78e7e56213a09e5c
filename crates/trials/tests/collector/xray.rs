//! What X-Ray refuses, by its documentation, as far as a span decides it. Its pages are called
//! "Segment documents", "Sending data" and "Annotations" below:
//!
//! - <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>
//! - <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html>
//! - <https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-dotnet-segment.html>
//! - and the quotas: <https://docs.aws.amazon.com/general/latest/gr/xray.html>
//!
//! On AWS the collector makes a segment document of each span, by its rules: the segment of a
//! request that comes in is called as its service, and any other as its span; dots in the keys of
//! attributes become underscores. Here all attributes count as annotations, which the collector
//! does only with those that its configuration names.

use std::collections::{BTreeSet, HashMap};

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use serde_json::json;

use super::{Seen, hex, texts};

/// "Sending data": the time in a trace id is within the past 30 days.
const KEEPS_SECONDS: u64 = 30 * 24 * 60 * 60;
/// "Segment documents", `name`: "up to 200 characters".
const NAME_MAX: usize = 200;
/// The same: letters, numbers, whitespace and these.
const NAME_SYMBOLS: &str = "_.:/%&#=+\\-@";
/// "Segment documents": "up to 64 kB".
const DOCUMENT_MAX_BYTES: usize = 64_000;
/// "Annotations": keys of up to 500 letters, digits and underscores.
const KEY_MAX: usize = 500;
/// The same: values of up to 1,000 characters.
const VALUE_MAX: usize = 1_000;
/// "Segment documents" and the quotas: annotations that are indexed for each trace.
const ANNOTATIONS_MAX: usize = 50;

/// Why X-Ray refuses a segment that arrives at the time `now`, in seconds since 1970.
pub fn refuses(Seen { service, span }: &Seen, now: u64) -> Option<&'static str> {
    let name = if span.kind() == SpanKind::Server { service } else { &span.name };
    let annotations = annotations(span);
    let rules = [
        (!has_time(&span.trace_id, now), "the trace id does not begin with a time it keeps"),
        (!is_id(&span.span_id), "the id is not of 16 hexadecimal digits"),
        (!span.parent_span_id.is_empty() && !is_id(&span.parent_span_id), "nor is the parent's"),
        (name.is_empty() || name.chars().count() > NAME_MAX, "the name is too long, or empty"),
        (!name.chars().all(may_be_in_name), "the name has a character that it may not have"),
        (
            span.start_time_unix_nano == 0 || span.end_time_unix_nano < span.start_time_unix_nano,
            "it ends before it starts",
        ),
        (
            !annotations.iter().all(|(key, _)| is_key(key)),
            "a key is not of letters, digits and underscores",
        ),
        (
            annotations.iter().any(|(_, value)| value.chars().count() > VALUE_MAX),
            "a value of an annotation is too long",
        ),
        (document_bytes(name, span) > DOCUMENT_MAX_BYTES, "the document is over 64 kB"),
    ];
    rules.into_iter().find_map(|(is_broken, why)| is_broken.then_some(why))
}

/// What is wrong with whole traces, when all their spans have arrived: an id that two segments
/// have, a parent that never came, more annotations than are indexed.
pub fn wrong_traces(spans: &[Seen]) -> Vec<String> {
    let mut traces = HashMap::<&[u8], Vec<&Span>>::new();
    for Seen { span, .. } in spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    traces.iter().flat_map(|(id, spans)| wrong_trace(&hex(id), spans)).collect()
}

fn wrong_trace(trace_id: &str, spans: &[&Span]) -> Vec<String> {
    let ids: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
    let has_parent =
        |span: &Span| span.parent_span_id.is_empty() || ids.contains(&span.parent_span_id);
    let orphans = spans.iter().filter(|span| !has_parent(span));
    let orphans = orphans.map(|it| format!("{trace_id}: the parent of {:?} is unknown", it.name));
    let keys: BTreeSet<_> = spans.iter().flat_map(|span| annotations(span)).collect();
    let keys: BTreeSet<_> = keys.into_iter().map(|(key, _)| key).collect();
    let rules = [
        (ids.len() < spans.len(), "two segments have the same id"),
        (keys.len() > ANNOTATIONS_MAX, "more than 50 annotations"),
    ];
    let broken = rules.into_iter().filter(|(is_broken, _)| *is_broken);
    broken.map(|(_, why)| format!("{trace_id}: {why}")).chain(orphans).collect()
}

fn has_time(trace_id: &[u8], now: u64) -> bool {
    let seconds = trace_id.first_chunk().map(|it| u64::from(u32::from_be_bytes(*it)));
    trace_id.len() == 16
        && seconds.is_some_and(|it| (now.saturating_sub(KEEPS_SECONDS)..=now).contains(&it))
}

fn is_id(id: &[u8]) -> bool {
    id.len() == 8 && id != [0; 8]
}

fn may_be_in_name(it: char) -> bool {
    it.is_alphanumeric() || it.is_whitespace() || NAME_SYMBOLS.contains(it)
}

fn is_key(key: &str) -> bool {
    let may_be = |it: char| it.is_ascii_alphanumeric() || it == '_';
    (1..=KEY_MAX).contains(&key.len()) && key.chars().all(may_be)
}

fn annotations(span: &Span) -> Vec<(String, String)> {
    let attributes = texts(span.attributes.clone()).into_iter();
    attributes.map(|(key, value)| (key.replace('.', "_"), value)).collect()
}

fn document_bytes(name: &str, span: &Span) -> usize {
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    let document = json!({
        "name": name,
        "id": hex(&span.span_id),
        "trace_id": hex(&span.trace_id),
        "parent_id": hex(&span.parent_span_id),
        "start_time": seconds(span.start_time_unix_nano),
        "end_time": seconds(span.end_time_unix_nano),
        "annotations": annotations(span).into_iter().collect::<HashMap<_, _>>(),
    });
    document.to_string().len()
}
