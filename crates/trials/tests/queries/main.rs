//! The queries of docs/operate.md answer their questions, on the log of a bad day.

use account::{
    endpoint,
    proxy::{Calls, Conditions, Fault, Outage, Proxy},
};
use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use local::build;
use serde_json::Value as Json;

mod insights;

#[path = "../guide/mod.rs"]
#[expect(dead_code, reason = "this suite reads the queries")]
mod guide;
#[path = "../test_system/mod.rs"]
mod test_system;

use insights::{Row, event, run};
use test_system::{SEED, TestSystem};

type Outcome = anyhow::Result<()>;

const SERVICES: [&str; 4] = ["publisher", "fulfilment", "promotion", "history"];

/// The query that answers a question.
fn query(question: &str) -> String {
    let rows = guide::section("## Logs").lines();
    let row = rows.map(str::trim).find(|line| line.starts_with(&format!("| {question} |")));
    let cell = row.unwrap_or_else(|| panic!("no row {question:?}")).split('`').nth(1);
    cell.unwrap_or_default().replace("\\|", "|")
}

fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).and_then(Json::as_str).unwrap_or_default()
}

#[tokio::test]
async fn each_query_answers_its_question() -> Outcome {
    let account = endpoint::start(&endpoint::Settings::loopback(0).like_aws(SEED)).await?;
    let proxy = Proxy::start(&account.url, Conditions::default()).await?;
    let target = account.target_through(&proxy.url);
    let variables = [("LOG_FORMAT", "json")];
    let files = build::copilot_directory();
    let mut test = TestSystem::start_at(Some(target), files, &variables).await?;
    let id = bad_day(&mut test, &proxy).await?;

    let logs = SERVICES.map(|service| (service, test.log.of(service)));
    let lines = logs.iter().flat_map(|(log, lines)| lines.iter().map(|line| event(log, line)));
    let events: Vec<Row> = lines.collect();
    assert!(events.iter().all(|it| !text(it, "message").is_empty()), "a line is not JSON");

    let order = run(&query("What happened to this order?").replace("ID", &id), &events);
    let story: Vec<_> = order.iter().map(|row| text(row, "message")).collect();
    let first = |message: &str| story.iter().position(|it| *it == message);
    let steps = ["order stored", "order announced", "order fulfilled"].map(first);
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{story:?}");
    assert!(order.iter().any(|row| text(row, "@log") == "fulfilment"), "{order:?}");

    let wrong = run(&query("What goes wrong most often?"), &events);
    let counts: Vec<_> = wrong.iter().filter_map(|row| row["n"].as_f64()).collect();
    assert!(counts.is_sorted_by(|one, other| one >= other), "{wrong:?}");
    let messages: Vec<_> = wrong.iter().map(|row| text(row, "message")).collect();
    assert!(messages.contains(&"poison message"), "{messages:?}");

    let given_up = run(&query("Which messages were given up, and why?"), &events);
    let [row] = &given_up[..] else { panic!("{given_up:?}") };
    assert_eq!(text(row, "@log"), "fulfilment");
    assert!(!text(row, "reason").is_empty() && !text(row, "message.id").is_empty(), "{row:?}");

    let away = run(&query("When was a dependency away?"), &events);
    let messages: Vec<_> = away.iter().map(|row| text(row, "message")).collect();
    let [first, .., last] = &messages[..] else { panic!("{away:?}") };
    assert!(first.contains("unavailable") && last.contains("available again"), "{messages:?}");

    let overdue = run(&query("What does the outbox have to announce again?"), &events);
    let most = overdue.iter().filter_map(|row| row["max(outbox.overdue)"].as_f64());
    assert_eq!(most.fold(0.0, f64::max), 1.0, "{overdue:?}");
    test.system.stop().await
}

#[tokio::test]
async fn without_a_terminal_a_service_logs_json_by_itself() -> Outcome {
    let mut test = TestSystem::start().await?;
    test.stop("fulfilment").await?;
    let before = test.log.of("fulfilment").len();
    let format = test.variables("fulfilment")?.remove("LOG_FORMAT");
    assert_eq!(format.as_deref(), Some("text"));
    test.system.start_service("fulfilment")?;
    test.logged("fulfilment", &[r#""message":"fulfilment starts""#]).await?;
    for line in test.log.of("fulfilment").iter().skip(before) {
        let event: Json = serde_json::from_str(line).with_context(|| line.clone())?;
        assert!(event["level"].is_string() && event["message"].is_string(), "{line}");
    }
    test.system.stop().await
}

/// An order that goes well, poison, a dependency that is away, and an order that waits in the
/// outbox.
/// Returns the first order.
async fn bad_day(test: &mut TestSystem, proxy: &Proxy) -> anyhow::Result<String> {
    let id = test.order("Ada Lovelace", "50").await?;
    test.see_until(&id, |order| order["is_done"] == true).await?;
    test.send_to_queue("fulfilment", "poison").await?;
    test.logged("fulfilment", &["poison message"]).await?;

    let mentions = |it: &str| Calls { mentions: it.to_owned(), ..Calls::default() };
    let outage =
        |it: &str| Outage::Calls { of: vec![mentions(it)], fault: Fault::Throttle, percent: 100 };
    proxy.set_outages(vec![outage("fulfilment-orderStatus")]);
    for _ in 0..30 {
        test.order("Ada Lovelace", "50").await?;
    }
    test.logged("fulfilment", &["dependencies are unavailable"]).await?;
    proxy.set_outages(Vec::new());
    test.logged("fulfilment", &["dependencies are available again"]).await?;

    proxy.set_outages(vec![outage("publisher-ordersTopic")]);
    let waits = test.order("Ada Lovelace", "50").await?;
    test.system.process("publisher")?.kill();
    let table = test.variable("publisher", "ORDERS_TABLE_NAME")?;
    let update = aws_sdk_dynamodb::Client::new(&test.aws).update_item().table_name(table);
    let update =
        update.key("id", AttributeValue::S(waits)).update_expression("SET outbox_due = :at");
    update.expression_attribute_values(":at", AttributeValue::N("1".to_owned())).send().await?;
    test.system.start_service("publisher")?;
    test.logged("publisher", &["announcing overdue items"]).await.context("nothing is overdue")?;
    proxy.set_outages(Vec::new());
    Ok(id)
}
