//! The language of CloudWatch Logs Insights, as far as our queries use it: `fields`, `filter` with
//! `=`, `in` and `like`, `stats` with `count` and `max`, and `sort`. No crate runs it.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

/// An event, or a row of a result.
pub type Row = Map<String, Json>;

/// An event of a log, as Insights sees it: the fields of its JSON, its time, and its log group.
pub fn event(log: &str, line: &str) -> Row {
    let mut event: Row = serde_json::from_str(line).unwrap_or_default();
    let timestamp = event.get("timestamp").cloned().unwrap_or_default();
    event.insert("@timestamp".to_owned(), timestamp);
    event.insert("@log".to_owned(), log.into());
    event
}

/// The result of a query.
pub fn run(query: &str, events: &[Row]) -> Vec<Row> {
    let mut rows = events.to_vec();
    let mut fields = Vec::new();
    for command in query.split(" | ") {
        let (name, rest) = command.trim().split_once(' ').expect("a command and its arguments");
        match name {
            "fields" => fields = rest.split(',').map(|it| it.trim().to_owned()).collect(),
            "filter" => rows.retain(|row| holds(rest, row)),
            "stats" => rows = stats(rest, &rows),
            "sort" => sort(rest, &mut rows),
            other => panic!("the command {other} is not known here"),
        }
    }
    if !fields.is_empty() {
        rows.iter_mut().for_each(|row| row.retain(|name, _| fields.contains(name)));
    }
    rows
}

fn holds(condition: &str, row: &Row) -> bool {
    let (field, rest) = condition.split_once(' ').expect("a field");
    let (operator, operand) = rest.split_once(' ').expect("an operator");
    let value = row.get(field).and_then(Json::as_str).unwrap_or_default();
    match operator {
        "=" => value == operand.trim_matches('"'),
        "in" => {
            let list: Vec<String> = serde_json::from_str(operand).expect("a list of texts");
            list.iter().any(|it| it == value)
        }
        "like" => value.contains(operand.trim_matches('/')),
        other => panic!("the operator {other} is not known here"),
    }
}

fn stats(text: &str, rows: &[Row]) -> Vec<Row> {
    let (functions, by) = text.split_once(" by ").expect("by what");
    let mut groups = BTreeMap::<String, Vec<&Row>>::new();
    for row in rows {
        groups.entry(key(by, row)).or_default().push(row);
    }
    let row = |(key, group): (String, Vec<&Row>)| {
        let computed = functions.split(',').map(|it| function(it.trim(), &group));
        computed.chain([(by.to_owned(), key.into())]).collect()
    };
    groups.into_iter().map(row).collect()
}

fn key(by: &str, row: &Row) -> String {
    let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    match by {
        "bin(1m)" => {
            let time: Timestamp = text("@timestamp").parse().expect("a time");
            (time.as_second() / 60 * 60).to_string()
        }
        name => text(name),
    }
}

/// A function of a group, and what it is called in the result.
fn function(text: &str, group: &[&Row]) -> (String, Json) {
    let (call, name) = text.split_once(" as ").unwrap_or((text, text));
    let (function, argument) = call.trim_end_matches(')').split_once('(').expect("a function");
    let value = match function {
        "count" => group.len() as f64,
        "max" => {
            let numbers = group.iter().filter_map(|row| row.get(argument)?.as_f64());
            numbers.fold(f64::NEG_INFINITY, f64::max)
        }
        other => panic!("the function {other} is not known here"),
    };
    (name.to_owned(), value.into())
}

fn sort(text: &str, rows: &mut [Row]) {
    let (field, order) = text.split_once(' ').unwrap_or((text, "asc"));
    let compare = |one: &Row, other: &Row| match (&one[field], &other[field]) {
        (Json::Number(one), Json::Number(other)) => {
            one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal)
        }
        (one, other) => one.as_str().cmp(&other.as_str()),
    };
    rows.sort_by(compare);
    if order == "desc" {
        rows.reverse();
    }
}
