//! The items of a table, read and changed.
//!
//! Calls of the SDK are boxed, here and elsewhere: the future of one has 6 KB, which every future
//! around it would have too, and which are copied whenever one of those moves.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue},
};
use pubsub::unavailable::call_failed;

/// An item of the table.
pub type Item = HashMap<String, AttributeValue>;

/// The items of a table with an outbox. A clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct Items {
    /// The client.
    pub dynamodb: Client,
    /// The name of the table.
    pub table: String,
}

impl Items {
    /// The items of the table with this name.
    pub fn new(aws: &SdkConfig, table: String) -> Self {
        Self { dynamodb: Client::new(aws), table }
    }

    /// The item `id` as it is now, if there is one.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn get(&self, id: impl ToString) -> anyhow::Result<Option<Item>> {
        let get = self.dynamodb.get_item().table_name(&self.table).key("id", text(id));
        let got = Box::pin(get.consistent_read(true).send()).await;
        Ok(got.map_err(call_failed)?.item)
    }

    /// A change of the item `id`, for [`changed`].
    pub fn update(&self, id: impl ToString) -> UpdateItemFluentBuilder {
        self.dynamodb.update_item().table_name(&self.table).key("id", text(id))
    }
}

/// Makes a change, and returns the item after it; `None` if its condition does not hold.
///
/// # Errors
///
/// If DynamoDB is unavailable. The change may have been made even so.
pub async fn changed(update: UpdateItemFluentBuilder) -> anyhow::Result<Option<Item>> {
    match Box::pin(update.return_values(ReturnValue::AllNew).send()).await {
        Ok(output) => output.attributes.context("DynamoDB did not return the item").map(Some),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(call_failed(error)),
        },
    }
}

/// A text, as DynamoDB has it.
pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number, as DynamoDB has it.
pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
