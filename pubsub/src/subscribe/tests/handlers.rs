//! What a handler may do: succeed, fail, panic, hang, take long.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_is_deleted_after_success() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.deleted()), ["a"]);
    subscription.end().await;
}
