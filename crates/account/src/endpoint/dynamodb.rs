//! DynamoDB with its JSON API.

use std::{fmt, sync::Arc};

use dynoxide::{Database, DynoxideError, Result};
use hyper::{StatusCode, body::Bytes};
use serde::{Serialize, de::DeserializeOwned};

/// What ARNs of tables begin with.
const ARNS: &str = "arn:aws:dynamodb:";
/// What they begin with in the library, which has a region of its own.
const ARNS_OF_LIBRARY: &str = "arn:aws:dynamodb:dynoxide:";
/// The prefix that the library puts before validation errors while it reads a request.
const VALIDATION: &str = "VALIDATION:";

/// A database in memory. Its clones share the data.
#[derive(Clone)]
pub struct DynamoDb {
    database: Database,
    region: Arc<str>,
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynamoDb")
    }
}

impl DynamoDb {
    /// A database without tables in a region.
    pub fn new(region: &str) -> anyhow::Result<Self> {
        Ok(Self { database: Database::memory()?, region: region.into() })
    }

    /// The answer to a request for an operation such as `PutItem`.
    ///
    /// It takes microseconds, so it does not need a thread of its own.
    pub fn answer(&self, operation: &str, body: &[u8]) -> (StatusCode, Bytes) {
        match self.run(operation, body) {
            Ok(answer) if operation.ends_with("Table") => {
                let text = String::from_utf8_lossy(&answer);
                let arns = format!("{ARNS}{}:", self.region);
                (StatusCode::OK, text.replace(ARNS_OF_LIBRARY, &arns).into())
            }
            Ok(answer) => (StatusCode::OK, answer.into()),
            Err(error) => {
                let status = StatusCode::from_u16(error.status_code());
                (status.unwrap_or(StatusCode::BAD_REQUEST), error.to_json().into())
            }
        }
    }

    fn run(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>> {
        let database = &self.database;
        match operation {
            "BatchGetItem" => call(body, |it| database.batch_get_item(it)),
            "BatchWriteItem" => call(body, |it| database.batch_write_item(it)),
            "CreateTable" => call(body, |it| database.create_table(it)),
            "DeleteItem" => call(body, |it| database.delete_item(it)),
            "DeleteTable" => call(body, |it| database.delete_table(it)),
            "DescribeTable" => call(body, |it| database.describe_table(it)),
            "DescribeTimeToLive" => call(body, |it| database.describe_time_to_live(it)),
            "ExecuteStatement" => call(body, |it| database.execute_statement(it)),
            "GetItem" => call(body, |it| database.get_item(it)),
            "ListTables" => call(body, |it| database.list_tables(it)),
            "PutItem" => call(body, |it| database.put_item(it)),
            "Query" => call(body, |it| database.query(it)),
            "Scan" => call(body, |it| database.scan(it)),
            "TransactGetItems" => call(body, |it| database.transact_get_items(it)),
            "TransactWriteItems" => call(body, |it| database.transact_write_items(it)),
            "UpdateItem" => call(body, |it| database.update_item(it)),
            "UpdateTable" => call(body, |it| database.update_table(it)),
            "UpdateTimeToLive" => call(body, |it| database.update_time_to_live(it)),
            _ => Err(DynoxideError::ValidationException(format!(
                "This endpoint has no operation {operation}"
            ))),
        }
    }
}

fn call<I, O>(body: &[u8], operation: impl FnOnce(I) -> Result<O>) -> Result<Vec<u8>>
where
    I: DeserializeOwned,
    O: Serialize,
{
    let input = serde_json::from_slice(body).map_err(|error| {
        let why = error.to_string();
        match why.strip_prefix(VALIDATION) {
            Some(why) => DynoxideError::ValidationException(why.to_owned()),
            None => DynoxideError::SerializationException(why),
        }
    })?;
    let internal = |error: serde_json::Error| DynoxideError::InternalServerError(error.to_string());
    serde_json::to_vec(&operation(input)?).map_err(internal)
}
