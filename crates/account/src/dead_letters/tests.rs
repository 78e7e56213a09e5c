//! Dead letters on the embedded endpoint: looking takes nothing away, moving loses nothing.

use std::collections::BTreeSet;

use aws_sdk_sqs::{Client, types::MessageAttributeValue};

use super::{DeadLetters, Redriven, depth};
use crate::{
    endpoint::{self, Endpoint, Settings},
    provision::Target,
    proxy::{Conditions, Fault, Plan, Proxy},
};
use deployment::{
    cloudformation::stack::ResourceId,
    description::{NamedQueue, ServiceQueue},
};

/// A dead-letter queue, and the queue that its messages came from.
struct TestQueues {
    endpoint: Endpoint,
    sqs: Client,
    letters: DeadLetters,
}

impl TestQueues {
    async fn start() -> Self {
        let endpoint = endpoint::start(&Settings::loopback(0)).await.unwrap();
        let sqs = client(&endpoint.url).await;
        let [url, source_url] = ["dead", "source"].map(|name| sqs.create_queue().queue_name(name));
        let url = url.send().await.unwrap().queue_url.unwrap();
        let source_url = source_url.send().await.unwrap().queue_url.unwrap();
        let letters = DeadLetters::new(sqs.clone(), url, source_url);
        Self { endpoint, sqs, letters }
    }

    async fn add(&self, body: &str) {
        let value = MessageAttributeValue::builder().data_type("String").string_value("kept");
        let send = self.sqs.send_message().queue_url(&self.letters.url).message_body(body);
        let send = send.message_attributes("note", value.build().unwrap());
        send.send().await.unwrap();
    }

    /// How many messages are at the source, and how many are dead, held ones included.
    async fn counts(&self) -> (usize, usize) {
        let (visible, held) = depth(&self.sqs, &self.letters.source_url).await.unwrap();
        (visible + held, self.letters.count().await.unwrap())
    }
}

async fn client(url: &str) -> Client {
    let target = Target::elsewhere(url.to_owned(), endpoint::region());
    Client::new(&target.config().await)
}

#[tokio::test]
async fn looking_shows_every_letter_once_and_takes_none_away() {
    let queues = TestQueues::start().await;
    let bodies: BTreeSet<String> = (0..25).map(|index| format!("message {index}")).collect();
    for body in &bodies {
        queues.add(body).await;
    }
    for _ in 0..2 {
        let letters = queues.letters.look().await.unwrap();
        assert_eq!(letters.len(), 25);
        assert_eq!(letters.into_iter().filter_map(|it| it.body).collect::<BTreeSet<_>>(), bodies);
        // All are visible again at once.
        assert_eq!(depth(&queues.sqs, &queues.letters.url).await.unwrap(), (25, 0));
    }
}

#[tokio::test]
async fn a_redrive_keeps_body_and_attributes() {
    let queues = TestQueues::start().await;
    for index in 0..12 {
        queues.add(&format!("message {index}")).await;
    }
    assert_eq!(queues.letters.redrive().await.unwrap(), Redriven::Moved { moved: 12, left: 0 });
    assert_eq!(queues.counts().await, (12, 0));
    let receive = queues.sqs.receive_message().queue_url(&queues.letters.source_url);
    let received = receive.message_attribute_names("All").send().await.unwrap();
    let message = &received.messages.unwrap()[0];
    assert_eq!(message.body.as_deref(), Some("message 0"));
    let attributes = message.message_attributes.as_ref().unwrap();
    assert_eq!(attributes["note"].string_value.as_deref(), Some("kept"));
}

#[tokio::test]
async fn a_redrive_waits_for_what_another_reader_looks_at() {
    let queues = TestQueues::start().await;
    queues.add("one message").await;
    let hide = queues.sqs.receive_message().queue_url(&queues.letters.url);
    let hidden = hide.visibility_timeout(2).send().await.unwrap();
    assert_eq!(hidden.messages().len(), 1);
    let redriven = queues.letters.redrive().await.unwrap();
    assert_eq!(redriven, Redriven::Moved { moved: 1, left: 0 });
    assert_eq!(queues.counts().await, (1, 0));
}

/// The first plan by which `operation` fails three times, as often as the SDK tries, and by which
/// the operations that a redrive needs before do not.
fn failing(operation: &str) -> Plan {
    const BEFORE: [&str; 4] = [
        "SQS.GetQueueAttributes",
        "SQS.StartMessageMoveTask",
        "SQS.ReceiveMessage",
        "SQS.SendMessage",
    ];
    let passes = |plan: Plan, name| plan.faults(name).take(2).all(|fault| fault.is_none());
    (0..)
        .map(|seed| Plan { seed, percent: 50 })
        .find(|plan| {
            let fails = |fault| matches!(fault, Some(Fault::ServerError | Fault::Reset));
            let mut before = BEFORE.into_iter().filter(|name| *name != operation);
            plan.faults(operation).take(3).all(fails) && before.all(|name| passes(*plan, name))
        })
        .unwrap()
}

async fn check_interrupted(operation: &str, left: (usize, usize)) {
    let queues = TestQueues::start().await;
    queues.add("one message").await;
    let faults = Some(failing(operation));
    let delay = std::time::Duration::ZERO;
    let conditions = Conditions { faults, delay, ..Conditions::default() };
    let proxy = Proxy::start(&queues.endpoint.url, conditions).await.unwrap();
    let through_proxy = DeadLetters { sqs: client(&proxy.url).await, ..queues.letters.clone() };
    through_proxy.redrive().await.unwrap_err();
    assert_eq!(queues.counts().await, left, "{operation}");
}

#[tokio::test]
async fn a_redrive_that_is_cut_short_doubles_a_message_and_never_loses_one() {
    check_interrupted("SQS.SendMessage", (0, 1)).await;
    check_interrupted("SQS.DeleteMessage", (1, 1)).await;
}

#[tokio::test]
async fn a_purge_deletes_the_dead_letters_alone() {
    let queues = TestQueues::start().await;
    queues.add("one message").await;
    queues.letters.redrive().await.unwrap();
    queues.add("another message").await;
    queues.letters.purge().await.unwrap();
    assert_eq!(queues.counts().await, (1, 0));
}

#[tokio::test]
async fn a_queue_whose_name_only_begins_like_another_is_not_taken_for_it() {
    let endpoint = endpoint::start(&Settings::loopback(0)).await.unwrap();
    let sqs = client(&endpoint.url).await;
    for name in ["shop-Status", "shop-StatusDeadLetters-1X2Y", "shop-Statuses"] {
        sqs.create_queue().queue_name(name).send().await.unwrap();
    }
    let named = |name: &str| NamedQueue {
        id: ResourceId { stack: "shop".to_owned(), id: name.to_owned() },
        name: format!("shop-{name}"),
    };
    let queue =
        ServiceQueue { queue: named("Status"), dead_letters: Some(named("StatusDeadLetters")) };
    let found = DeadLetters::find(&sqs, &queue).await.unwrap().unwrap();
    assert!(found.url.ends_with("/shop-StatusDeadLetters-1X2Y"), "{}", found.url);
    assert!(found.source_url.ends_with("/shop-Status"), "{}", found.source_url);
    sqs.create_queue().queue_name("shop-Status-3Z").send().await.unwrap();
    let error = DeadLetters::find(&sqs, &queue).await.unwrap_err().to_string();
    assert_eq!(error, "2 queues are named shop-Status and a suffix");
}
