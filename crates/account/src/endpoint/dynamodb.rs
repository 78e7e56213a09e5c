//! DynamoDB with its JSON API.

use dynoxide::{Database, DynoxideError, Result};
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    StatusCode,
    body::{Bytes, Incoming},
};
use serde::{Serialize, de::DeserializeOwned};

/// The largest request that DynamoDB accepts.
const MAX_REQUEST_BYTES: usize = 16 << 20;
/// The prefix that the library puts before validation errors while it reads a request.
const VALIDATION: &str = "VALIDATION:";

/// A database in memory. Its clones share the data.
#[derive(Clone)]
pub struct DynamoDb {
    database: Database,
}

impl DynamoDb {
    /// A database without tables.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { database: Database::memory()? })
    }

    /// The answer to a request for an operation such as `PutItem`.
    pub async fn answer(&self, operation: &str, body: Incoming) -> (StatusCode, Bytes) {
        let answer = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
            // It takes microseconds, so it does not need a thread of its own.
            Ok(body) => self.run(operation, &body.to_bytes()),
            Err(error) => Err(DynoxideError::SerializationException(error.to_string())),
        };
        match answer {
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
