//! Each alarm fires once: by what the services really send in a bad situation, through its own
//! definition in the templates, to the topic of the alarms. What arrives there is read.
//!
//! CloudWatch is a small evaluator here ([`evaluate`]), and a minute is the time between two
//! exports of metrics. The test `equal` compares the definitions with those of `infrastructure/`.

use std::{collections::BTreeSet, time::Duration};

use account::{provision::ENVIRONMENT, proxy::Fault};
use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use local::build;
use serde_json::json;

mod cloudwatch;
mod evaluate;
mod math;
mod scene;

#[path = "../alarm/mod.rs"]
mod alarm;
#[path = "../collector/mod.rs"]
mod collector;
#[path = "../test_system/mod.rs"]
mod test_system;

use alarm::alarms;
use scene::Scene;
use test_system::webhooks::{NEW, payment};

type Outcome = anyhow::Result<()>;

const ALL: [&str; 4] = ["publisher", "fulfilment", "promotion", "history"];
const WORKERS: [&str; 3] = ["fulfilment", "promotion", "history"];
/// It also fires when calls are repeated, depending on the pauses that the SDK draws, and rightly
/// so when this machine is busy with other things.
const SLOW: &str = "-SlowAlarm";
/// After an outage a worker resumes within seconds, which are many minutes here.
const LATE: &str = "LateAlarm";
/// Long enough for every alarm of an outage to fire, if it does.
const QUIET_MINUTES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn each_alarm_fires_once_and_reaches_its_topic() -> Outcome {
    // Each half takes most of a minute.
    let (mut fired, others) = tokio::try_join!(messages_and_throttling(), outages())?;
    fired.extend(others);
    let deployment = deployment::read(&build::copilot_directory(), ENVIRONMENT)?;
    let all: BTreeSet<_> = alarms(&deployment).into_iter().map(|it| it.name).collect();
    assert_eq!(fired, all, "some never fired");
    Ok(())
}

async fn messages_and_throttling() -> anyhow::Result<BTreeSet<String>> {
    let mut scene = Scene::start().await?;
    fair_weather(&mut scene).await?;
    dead_letters(&mut scene).await?;
    undelivered_messages(&mut scene).await?;
    throttled_tables(&mut scene).await?;
    scene.stop().await
}

async fn outages() -> anyhow::Result<BTreeSet<String>> {
    let mut scene = Scene::start().await?;
    reports_that_cannot_be_published(&mut scene).await?;
    reports_that_cannot_be_stored(&mut scene).await?;
    slow_answers(&mut scene).await?;
    old_outbox(&mut scene).await?;
    late_messages(&mut scene).await?;
    no_healthy_task(&mut scene).await?;
    scene.stop().await
}

/// While all is well, no alarm fires.
async fn fair_weather(scene: &mut Scene) -> Outcome {
    for _ in 0..QUIET_MINUTES {
        scene.order("120").await?;
        scene.minute(&ALL).await?;
    }
    let mut fired = scene.mail().await?;
    fired.retain(|it| !it.0.ends_with(SLOW));
    assert_eq!(fired, BTreeSet::new());
    Ok(())
}

/// Runs `each` until the alarms that end like this are on, and no other but those that `may` be;
/// lets `repair` put it right, and waits until they are off. The person got a message for each of
/// both.
async fn fires(
    scene: &mut Scene,
    running: &[&str],
    (expected, may): (&[&str], &[&str]),
    each: impl AsyncFn(&mut Scene) -> Outcome,
    repair: impl AsyncFnOnce(&mut Scene) -> Outcome,
) -> Outcome {
    let may = &[may, &[SLOW]].concat()[..];
    scene.until(running, expected, may, each).await?;
    repair(scene).await?;
    scene.repair();
    for _ in 0..200 {
        if scene.cloudwatch.in_alarm().is_empty() {
            break;
        }
        scene.minute(&ALL).await?;
    }
    let mail = scene.mail().await?;
    for expected in expected {
        for state in ["ALARM", "OK"] {
            let arrived = mail.iter().find(|it| it.0.ends_with(expected) && it.1 == state);
            let (name, _, description) =
                arrived.with_context(|| format!("{state} of {expected} is not in {mail:#?}"))?;
            println!("{state}: {name}: {description}");
            assert!(description.contains(" Runbook: docs/operate.md#"), "{description}");
        }
    }
    let is_meant = |name: &String| expected.iter().chain(may).any(|it| name.ends_with(it));
    assert!(mail.iter().all(|it| is_meant(&it.0)), "{mail:#?}");
    Ok(())
}

async fn nothing(_: &mut Scene) -> Outcome {
    Ok(())
}

/// A message that nobody can read.
async fn dead_letters(scene: &mut Scene) -> Outcome {
    for worker in WORKERS {
        scene.test.send_to_queue(worker, "poison").await?;
    }
    scene.test.report(&json!("poison")).await?;
    let expected = [
        "fulfilment-DeadLettersAlarm",
        "promotion-DeadLettersAlarm",
        "history-DeadLettersAlarm",
        "statusDeadLettersAlarm",
    ];
    let purge = async |scene: &mut Scene| {
        for service in ALL {
            let url = scene.test.queue(service)?.dead_letter_url.context("no dead letters")?;
            scene.sqs.purge_queue().queue_url(url).send().await?;
        }
        Ok(())
    };
    fires(scene, &ALL, (&expected, &[]), nothing, purge).await
}

/// The account delivers each message or says why not, so what SNS would do is done by hand.
async fn undelivered_messages(scene: &mut Scene) -> Outcome {
    let url = |worker: &str| format!("pubsub-test-{worker}-UndeliveredQueue");
    for worker in WORKERS {
        let queue = scene.sqs.get_queue_url().queue_name(url(worker)).send().await?;
        let send = scene.sqs.send_message().set_queue_url(queue.queue_url);
        send.message_body("undelivered").send().await?;
    }
    let expected = WORKERS.map(|it| format!("{it}-UndeliveredAlarm"));
    let purge = async |scene: &mut Scene| {
        for worker in WORKERS {
            let queue = scene.sqs.get_queue_url().queue_name(url(worker)).send().await?;
            scene.sqs.purge_queue().set_queue_url(queue.queue_url).send().await?;
        }
        Ok(())
    };
    fires(scene, &ALL, (&expected.each_ref().map(String::as_str), &[]), nothing, purge).await
}

/// DynamoDB throttles one kind of writes after the other.
async fn throttled_tables(scene: &mut Scene) -> Outcome {
    let order = async |scene: &mut Scene| scene.order("120").await;
    let webhook = async |scene: &mut Scene| {
        let event = payment("payment.received", "none");
        let id = format!("msg_{}", Timestamp::now().as_millisecond());
        let answer = scene.test.webhook_signed("payments", NEW, &id, &event).await?;
        scene.answered(answer.status());
        Ok(())
    };
    let put = "PutItem";
    throttled(
        scene,
        "publisher-ordersTable",
        put,
        &["-ordersThrottledAlarm", "-ErrorsAlarm"],
        order,
    )
    .await?;
    let expected = ["-webhooksThrottledAlarm", "-ErrorsAlarm"];
    throttled(scene, "publisher-webhooksTable", put, &expected, webhook).await?;
    let expected = ["-couponsThrottledAlarm", "promotion-BreakerAlarm"];
    throttled(scene, "promotion-couponsTable", put, &expected, order).await?;
    let expected = ["-eventsThrottledAlarm", "history-BreakerAlarm"];
    throttled(scene, "history-eventsTable", put, &expected, order).await?;
    let expected = ["-ordersThrottledUpdatesAlarm", "-statusBreakerAlarm"];
    throttled(scene, "publisher-ordersTable", "UpdateItem", &expected, order).await
}

async fn throttled(
    scene: &mut Scene,
    table: &str,
    operation: &'static str,
    expected: &[&str],
    each: impl AsyncFn(&mut Scene) -> Outcome,
) -> Outcome {
    let table = format!("pubsub-test-{table}");
    scene.fault(Fault::Throttle, &[(&format!("DynamoDB.{operation}"), &table)]);
    scene.throttling = Some((table, operation));
    fires(scene, &ALL, (expected, &[LATE]), each, nothing).await
}

/// What a worker needs is away.
async fn reports_that_cannot_be_published(scene: &mut Scene) -> Outcome {
    scene.fault(Fault::ServerError, &[("SNS.", "fulfilment-orderStatus")]);
    let order = async |scene: &mut Scene| scene.order("50").await;
    fires(scene, &ALL, (&["fulfilment-BreakerAlarm"], &[LATE]), order, nothing).await
}

/// The publisher cannot store what is reported.
async fn reports_that_cannot_be_stored(scene: &mut Scene) -> Outcome {
    scene.fault(Fault::ServerError, &[("DynamoDB.UpdateItem", "publisher-ordersTable")]);
    scene.order("50").await?;
    let alarms = (&["-statusLateAlarm"][..], &["-statusBreakerAlarm"][..]);
    fires(scene, &ALL, alarms, nothing, nothing).await
}

async fn slow_answers(scene: &mut Scene) -> Outcome {
    let slow = Fault::Stall(Duration::from_millis(1_200));
    scene.fault(slow, &[("DynamoDB.PutItem", "publisher-ordersTable")]);
    let order = async |scene: &mut Scene| scene.order("50").await;
    fires(scene, &ALL, (&[SLOW], &[]), order, nothing).await
}

/// SNS has taken nothing for an hour, and the publisher is deployed meanwhile.
async fn old_outbox(scene: &mut Scene) -> Outcome {
    scene.fault(Fault::ServerError, &[("SNS.", "ordersTopic"), ("SNS.", "webhooksTopic")]);
    let id = scene.test.order("Ada Lovelace", "50").await?;
    scene.test.webhook("payments", &payment("payment.received", &id)).await?;
    scene.test.system.process("publisher")?.kill();
    an_hour_ago(scene, "ORDERS_TABLE_NAME", "placed_at").await?;
    an_hour_ago(scene, "WEBHOOKS_TABLE_NAME", "received_at").await?;
    scene.test.system.start_service("publisher")?;
    let expected = ["-ordersOutboxAlarm", "-webhooksOutboxAlarm"];
    fires(scene, &ALL, (&expected, &[]), nothing, nothing).await
}

/// Sets back the times of what waits in the outbox of a table.
async fn an_hour_ago(scene: &mut Scene, table: &str, attribute: &str) -> Outcome {
    let dynamodb = aws_sdk_dynamodb::Client::new(&scene.test.aws);
    let hour_ago = (Timestamp::now().as_millisecond() - 3_600_000).to_string();
    let name = scene.test.variable("publisher", table)?;
    for item in scene.test.items("publisher", table).await? {
        let Some(id) = item.get("id").filter(|_| item.contains_key("outbox")) else { continue };
        let update = dynamodb.update_item().table_name(&name).key("id", id.clone());
        update
            .update_expression(format!("SET {attribute} = :at, outbox_due = :at"))
            .expression_attribute_values(":at", AttributeValue::N(hour_ago.clone()))
            .send()
            .await?;
    }
    Ok(())
}

/// Nobody handles what comes in.
async fn late_messages(scene: &mut Scene) -> Outcome {
    for worker in WORKERS {
        scene.test.stop(worker).await?;
    }
    scene.order("120").await?;
    let expected = WORKERS.map(|it| format!("{it}-LateAlarm"));
    let start = async |scene: &mut Scene| {
        for worker in WORKERS {
            scene.test.system.start_service(worker)?;
        }
        Ok(())
    };
    let expected = expected.each_ref().map(String::as_str);
    fires(scene, &["publisher"], (&expected, &[]), nothing, start).await
}

async fn no_healthy_task(scene: &mut Scene) -> Outcome {
    scene.test.stop("publisher").await?;
    let order = async |scene: &mut Scene| scene.order("50").await;
    let start = async |scene: &mut Scene| {
        scene.test.system.start_service("publisher")?;
        Ok(())
    };
    fires(scene, &WORKERS, (&["-NoTaskAlarm", "-ErrorsAlarm"], &[]), order, start).await
}
