//! SNS: batches fail in part.

use form_urlencoded::Serializer;
use hyper::body::Bytes;
use rustack_sns_http::request::parse_form_params;

use super::edited;
use crate::{
    endpoint::messaging::{Answer, Sns},
    habits::{Habits, batches},
    proxy::Call,
};

/// The elements of an answer to `PublishBatch` that has no entry of the kind.
const NONE_SUCCESSFUL: &str = "<Successful></Successful>";
const END_OF_FAILED: &str = "</Failed>";

/// The answer to a call of a service.
pub async fn answer(habits: &Habits, sns: &Sns, call: &Call, body: Bytes) -> Answer {
    if call.operation != "PublishBatch" {
        return sns.answer(body).await;
    }
    let mut form = parse_form_params(&body);
    let failed = habits.batches.fail_to_publish(&mut form);
    if failed.is_empty() {
        return sns.answer(body).await;
    }
    let failed = failed.concat();
    if !batches::has_entries(&form) {
        // Any answer will do whose head is right.
        let answer = sns.answer("Action=ListTopics&Version=2010-03-31".into()).await;
        return edited(answer, |_| all_failed(&failed).into()).await;
    }
    let rest = Serializer::new(String::new()).extend_pairs(form).finish();
    edited(sns.answer(rest.into()).await, |body| {
        let text = String::from_utf8_lossy(&body);
        text.replacen(END_OF_FAILED, &format!("{failed}{END_OF_FAILED}"), 1).into()
    })
    .await
}

fn all_failed(failed: &str) -> String {
    format!(
        "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
         <PublishBatchResult>{NONE_SUCCESSFUL}<Failed>{failed}{END_OF_FAILED}</PublishBatchResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></PublishBatchResponse>",
        uuid::Uuid::new_v4()
    )
}
