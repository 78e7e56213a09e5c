//! The orders are restored to another table, as from a point in time, and the publisher uses it.

use std::{fs, path::Path};

use account::endpoint;
use anyhow::Context as _;
use aws_sdk_dynamodb::{
    Client,
    types::{GlobalSecondaryIndex, TableDescription},
};
use local::build;
use reqwest::StatusCode;

mod test_system;

use test_system::{SEED, TestSystem};

type Outcome = anyhow::Result<()>;

const RESTORED: &str = "pubsub-test-publisher-ordersTable-restored";

#[tokio::test]
async fn orders_of_a_restored_table_are_shown_and_go_on() -> Outcome {
    let account = endpoint::start(&endpoint::Settings::loopback(0).like_aws(SEED)).await?;
    let files = build::copilot_directory();
    let target = account.target();
    let mut test = TestSystem::start_at(Some(target.clone()), files.clone(), &[]).await?;
    let done = test.order("Ada Lovelace", "120").await?;
    test.see_until(&done, |order| order["is_done"] == true).await?;
    test.stop("fulfilment").await?;
    let waiting = test.order("Ada Lovelace", "50").await?;
    test.see_until(&waiting, |order| order["state"] == "announced").await?;
    restore(&test).await?;
    let too_late = test.order("Ada Lovelace", "50").await?;
    test.system.stop().await?;

    let copy = tempfile::tempdir()?;
    copy_directory(&files, copy.path())?;
    let arguments = copy.path().join("publisher/addons/addons.parameters.yml");
    let text = fs::read_to_string(&arguments)?;
    fs::write(&arguments, format!("{text}  OrdersTable: {RESTORED}\n"))?;
    let test = TestSystem::start_at(Some(target), copy.path().to_owned(), &[]).await?;
    assert_eq!(test.variable("publisher", "ORDERS_TABLE_NAME")?, RESTORED);
    let order = test.see(&done).await?;
    assert_eq!(order["is_done"], true, "{order}");
    test.see_until(&waiting, |order| order["is_done"] == true).await?;
    let page = test.http.get(test.url(&format!("/orders/{too_late}"))).send().await?;
    assert_eq!(page.status(), StatusCode::NOT_FOUND, "it was placed after that point in time");

    let new = test.order("Ada Lovelace", "50").await?;
    test.see_until(&new, |order| order["is_done"] == true).await?;
    test.until_listed(&new).await?;
    assert_eq!(test.refused(), Vec::<String>::new(), "the role is for the other table");
    test.status_is_handled(0).await?;
    test.system.stop().await
}

/// What DynamoDB does: another table with the same keys, indexes and items.
async fn restore(test: &TestSystem) -> Outcome {
    let (dynamodb, table) =
        (Client::new(&test.aws), test.variable("publisher", "ORDERS_TABLE_NAME")?);
    let described = dynamodb.describe_table().table_name(&table).send().await?;
    let TableDescription { attribute_definitions, key_schema, global_secondary_indexes, .. } =
        described.table.context("no table")?;
    let indexes = global_secondary_indexes.unwrap_or_default().into_iter().map(|index| {
        let made = GlobalSecondaryIndex::builder().set_index_name(index.index_name);
        made.set_key_schema(index.key_schema).set_projection(index.projection).build()
    });
    dynamodb
        .create_table()
        .table_name(RESTORED)
        .billing_mode(aws_sdk_dynamodb::types::BillingMode::PayPerRequest)
        .set_attribute_definitions(attribute_definitions)
        .set_key_schema(key_schema)
        .set_global_secondary_indexes(Some(indexes.collect::<Result<_, _>>()?))
        .send()
        .await?;
    for item in test.items("publisher", "ORDERS_TABLE_NAME").await? {
        dynamodb.put_item().table_name(RESTORED).set_item(Some(item)).send().await?;
    }
    Ok(())
}

fn copy_directory(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
