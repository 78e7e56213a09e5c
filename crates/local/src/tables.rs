//! Tables of an account, found by what they are for: on AWS, no variable of an operator names them.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;

/// The tables with the index `index` whose names begin with `prefix`.
///
/// # Errors
///
/// If DynamoDB does not answer.
pub async fn with_index(aws: &SdkConfig, prefix: &str, index: &str) -> anyhow::Result<Vec<String>> {
    let dynamodb = Client::new(aws);
    let names = dynamodb.list_tables().into_paginator().items().send();
    let names: Vec<String> = names.collect::<Result<_, _>>().await.context("listing the tables")?;
    let mut tables = Vec::new();
    for name in names.into_iter().filter(|name| name.starts_with(prefix)) {
        let table = dynamodb.describe_table().table_name(&name).send().await;
        let table = table.with_context(|| format!("describing the table {name}"))?.table;
        let table = table.context("DynamoDB did not describe the table")?;
        if table.global_secondary_indexes().iter().any(|it| it.index_name() == Some(index)) {
            tables.push(name);
        }
    }
    Ok(tables)
}
