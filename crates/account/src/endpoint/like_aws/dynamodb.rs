//! `DynamoDB`: indexes are late, partitions are limited, and keys are left.

use std::time::Instant;

use hyper::{StatusCode, body::Bytes};
use serde_json::{Value as Json, json};

use crate::{
    endpoint::dynamodb::DynamoDb,
    habits::{Habits, late_index, schemas::Written},
    iam::Caller,
    proxy::Call,
};

type Answer = (StatusCode, Bytes);

/// The answer to a call. What the administrator writes reaches the indexes late too.
pub fn answer(
    habits: &Habits,
    database: &DynamoDb,
    call: &Call,
    caller: Caller,
    body: &[u8],
) -> Answer {
    let operation = call.operation.as_str();
    let plain = || database.answer(operation, body);
    let request = || serde_json::from_slice::<Json>(body).unwrap_or_default();
    match operation {
        "CreateTable" | "DeleteTable" | "UpdateTable" => {
            let answer = plain();
            if operation == "CreateTable" && answer.0.is_success() {
                habits.schemas.add(&request());
            }
            habits.late_index.change_table(operation, body);
            answer
        }
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => {
            let written = habits.schemas.written(operation, &request());
            write(habits, database, caller, &written, plain)
        }
        "Query" if caller == Caller::Service && request()["IndexName"].is_string() => {
            habits.late_index.query(body)
        }
        "BatchGetItem" if caller == Caller::Service => {
            let mut request = request();
            let left = habits.unprocessed.leave(&mut request);
            let (status, answer) = database.answer(operation, request.to_string().as_bytes());
            (status, if status.is_success() { with_left(&answer, left) } else { answer })
        }
        _ => plain(),
    }
}

/// Carries out a write, unless it is one too many for a partition.
fn write(
    habits: &Habits,
    database: &DynamoDb,
    caller: Caller,
    written: &[Written],
    run: impl FnOnce() -> Answer,
) -> Answer {
    let read = |it: &Written| late_index::read(database, &it.table, &it.key);
    let old: Vec<_> = written.iter().map(read).collect();
    let now = Instant::now();
    let touched = |new: &[Option<Json>]| -> Vec<String> {
        let items = written.iter().zip(old.iter().zip(new));
        items
            .flat_map(|(it, (old, new))| {
                habits.schemas.partitions(&it.table, old.as_ref(), new.as_ref())
            })
            .collect()
    };
    // Of an update, the new item is not known yet; most stay in their partitions.
    let expected: Vec<_> = (written.iter().zip(&old))
        .map(|(it, old)| it.item.clone().or_else(|| old.clone()))
        .collect();
    if caller == Caller::Service && !habits.partitions.take_more(&touched(&expected), now) {
        return throttled();
    }
    let answer = run();
    if answer.0.is_success() {
        let new: Vec<_> = written.iter().map(|it| habits.late_index.wrote(database, it)).collect();
        habits.partitions.write(&touched(&new), now);
    }
    answer
}

/// What a table with on-demand capacity answers.
fn throttled() -> Answer {
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
        "message": "Throughput exceeds the current capacity of your table or index. Please slow \
                    down and try again.",
    });
    (StatusCode::BAD_REQUEST, body.to_string().into())
}

fn with_left(answer: &[u8], left: Json) -> Bytes {
    let mut answer: Json = serde_json::from_slice(answer).unwrap_or_default();
    for (table, keys) in left.as_object().into_iter().flatten() {
        answer["UnprocessedKeys"][table] = keys.clone();
    }
    answer.to_string().into()
}
