//! The parts of AWS that can fail, by the names that a person types.

use std::collections::BTreeSet;

/// All calls.
pub const EVERYTHING: &str = "everything";
/// The deliveries of SNS, which are no calls of a service.
pub const DELIVERIES: &str = "deliveries";
/// The services, as the names of their operations begin.
pub const SERVICES: [&str; 5] = ["DynamoDB", "S3", "SNS", "SQS", "Textract"];
/// The operations that a service of a system like this calls.
pub const OPERATIONS: [&str; 28] = [
    "DynamoDB.BatchGetItem",
    "DynamoDB.BatchWriteItem",
    "DynamoDB.DeleteItem",
    "DynamoDB.DescribeTable",
    "DynamoDB.GetItem",
    "DynamoDB.PutItem",
    "DynamoDB.Query",
    "DynamoDB.Scan",
    "DynamoDB.TransactWriteItems",
    "DynamoDB.UpdateItem",
    "S3.DeleteObject",
    "S3.GetObject",
    "S3.HeadObject",
    "S3.PutObject",
    "SNS.ListSubscriptionsByTopic",
    "SNS.Publish",
    "SNS.PublishBatch",
    "SQS.ChangeMessageVisibility",
    "SQS.ChangeMessageVisibilityBatch",
    "SQS.DeleteMessage",
    "SQS.DeleteMessageBatch",
    "SQS.GetQueueAttributes",
    "SQS.GetQueueUrl",
    "SQS.ReceiveMessage",
    "SQS.SendMessage",
    "SQS.SendMessageBatch",
    "Textract.AnalyzeExpense",
    "Textract.DetectDocumentText",
];

/// Whether it names a service or an operation, as [`named`] writes it.
pub fn is_call(part: &str) -> bool {
    SERVICES.contains(&part.split('.').next().unwrap_or_default())
}

/// The part that a person typed, among the names of tables, topics and queues. Services and
/// operations may be typed in small letters.
///
/// # Errors
///
/// A sentence that says what there is, if nothing has this name.
pub fn named(typed: &str, resources: &BTreeSet<String>) -> Result<String, String> {
    if [EVERYTHING, DELIVERIES].contains(&typed) {
        return Ok(typed.to_owned());
    }
    let is_it = |name: &&&str| {
        name.get(..typed.len()).is_some_and(|it| it.eq_ignore_ascii_case(typed))
            && (typed.contains('.') || name.len() == typed.len())
    };
    if let Some(name) = SERVICES.iter().chain(&OPERATIONS).find(is_it) {
        return Ok(name[..typed.len()].to_owned());
    }
    if !typed.is_empty() && resources.iter().any(|name| name.contains(typed)) {
        return Ok(typed.to_owned());
    }
    let short = |name: &String| name.rsplit('-').next().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = resources.iter().map(short).collect();
    let names: Vec<_> = names.into_iter().collect();
    Err(format!(
        "nothing is called {typed:?}: there are {EVERYTHING}, services and operations such as \
         {} and SQS.ReceiveMessage, {DELIVERIES}, and {}",
        SERVICES.join(", "),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_services_operations_and_pieces_of_the_names_of_resources() {
        let there = ["pubsub-test-promotion-couponsTable", "pubsub-test-publisher-ordersTopic"];
        let there = there.map(str::to_owned).into();
        for (typed, part) in [
            ("everything", "everything"),
            ("sqs", "SQS"),
            ("dynamodb.put", "DynamoDB.Put"),
            ("SQS.ReceiveMessage", "SQS.ReceiveMessage"),
            ("couponsTable", "couponsTable"),
            ("pubsub-test-publisher-ordersTopic", "pubsub-test-publisher-ordersTopic"),
        ] {
            assert_eq!(named(typed, &there).as_deref(), Ok(part));
        }
        for typed in ["couponTable", "", "SQS.Nothing", "sq", "EC2"] {
            let why = named(typed, &there).unwrap_err();
            assert!(why.contains(&format!("{typed:?}")), "{why}");
            assert!(why.ends_with("deliveries, and couponsTable, ordersTopic"), "{why}");
        }
    }
}
