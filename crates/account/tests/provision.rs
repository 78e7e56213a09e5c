//! What the files describe, asked of the account that was made from them.

use std::path::Path;

use account::{
    endpoint,
    provision::{ENVIRONMENT, Target, provision},
};

#[tokio::test]
async fn a_workers_topic_leads_to_the_queue_that_the_publisher_exports() {
    let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    assert_eq!(ENVIRONMENT, "test");
    let endpoint = endpoint::start(&endpoint::Settings::loopback(0)).await.unwrap();
    let target = Target { endpoint_url: endpoint.url.clone(), region: endpoint::region() };
    let account = provision(&copilot, &target).await.unwrap();

    let arns = &account.service("fulfilment").unwrap().variables["COPILOT_SNS_TOPIC_ARNS"];
    let arns: serde_json::Value = serde_json::from_str(arns).unwrap();
    let config = target.config().await;
    let sns = aws_sdk_sns::Client::new(&config);
    let publish = sns.publish().topic_arn(arns["orderStatus"].as_str().unwrap());
    publish.message("fulfilled").send().await.unwrap();
    let url = &account.service("publisher").unwrap().variables["STATUS_QUEUE_URL"];
    let sqs = aws_sdk_sqs::Client::new(&config);
    let received = sqs.receive_message().queue_url(url).send().await.unwrap();
    assert!(received.messages()[0].body().unwrap().contains("fulfilled"));
}
