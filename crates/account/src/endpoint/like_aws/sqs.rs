//! SQS: receives bring fewer messages, deletes leave copies, batches fail in part, and the numbers
//! of messages are approximate.

use hyper::body::Bytes;
use serde_json::{Value as Json, json};

use super::edited;
use crate::{
    endpoint::messaging::{Answer, Sqs},
    habits::{Habits, copies},
    proxy::Call,
};

/// The answer to a call of a service.
pub async fn answer(habits: &Habits, sqs: &Sqs, call: &Call, body: Bytes) -> Answer {
    let operation = call.operation.as_str();
    let Ok(mut request) = serde_json::from_slice::<Json>(&body) else {
        return sqs.answer(operation, body).await;
    };
    let is_fifo = request["QueueUrl"].as_str().is_some_and(|url| url.ends_with(".fifo"));
    match operation {
        "ReceiveMessage" => {
            let finds_any = habits.receives.sample(&mut request);
            if !finds_any {
                return nothing(sqs, &request).await;
            }
            let answer = sqs.answer(operation, bytes(&request)).await;
            if is_fifo { answer } else { edit(answer, |it| habits.receives.shuffle(it)).await }
        }
        "DeleteMessage" if !is_fifo && habits.copies.remain() => {
            let kept = copies::kept(&request["QueueUrl"], &request["ReceiptHandle"]);
            edit(sqs.answer("ChangeMessageVisibility", bytes(&kept)).await, |_| {}).await
        }
        "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" | "SendMessageBatch" => {
            let mut failed = habits.batches.fail(&mut request);
            let mut done = Vec::new();
            if operation == "DeleteMessageBatch" && !is_fifo {
                done = leave_copies(habits, sqs, &mut request).await;
            }
            if request["Entries"].as_array().is_some_and(Vec::is_empty) {
                // Any answer will do whose head is right.
                let answer = nothing(sqs, &request).await;
                return edit(answer, |it| *it = json!({"Successful": done, "Failed": failed}))
                    .await;
            }
            edit(sqs.answer(operation, bytes(&request)).await, |answer| {
                append(answer, "Successful", &mut done);
                append(answer, "Failed", &mut failed);
            })
            .await
        }
        "GetQueueAttributes" => {
            edit(sqs.answer(operation, body).await, |it| habits.counts.blur(it)).await
        }
        _ => sqs.answer(operation, body).await,
    }
}

/// Takes the entries of which copies remain out of a request `DeleteMessageBatch`, and returns what
/// SQS says of them.
async fn leave_copies(habits: &Habits, sqs: &Sqs, request: &mut Json) -> Vec<Json> {
    let url = request["QueueUrl"].clone();
    let Some(entries) = request["Entries"].as_array_mut() else { return Vec::new() };
    let remaining: Vec<Json> = entries.extract_if(.., |_| habits.copies.remain()).collect();
    let mut done = Vec::new();
    for entry in remaining {
        let kept = copies::kept(&url, &entry["ReceiptHandle"]);
        sqs.answer("ChangeMessageVisibility", bytes(&kept)).await;
        done.push(json!({"Id": entry["Id"]}));
    }
    done
}

/// The answer to a receive that finds nothing.
async fn nothing(sqs: &Sqs, request: &Json) -> Answer {
    let names = json!({"QueueUrl": request["QueueUrl"], "AttributeNames": ["QueueArn"]});
    edit(sqs.answer("GetQueueAttributes", bytes(&names)).await, |it| *it = json!({})).await
}

fn append(answer: &mut Json, name: &str, more: &mut Vec<Json>) {
    match answer[name].as_array_mut() {
        Some(entries) => entries.append(more),
        None => answer[name] = json!(more),
    }
}

fn bytes(request: &Json) -> Bytes {
    request.to_string().into()
}

async fn edit(answer: Answer, edit: impl FnOnce(&mut Json)) -> Answer {
    edited(answer, |body| {
        let mut json = serde_json::from_slice(&body).unwrap_or_default();
        edit(&mut json);
        json.to_string().into()
    })
    .await
}
