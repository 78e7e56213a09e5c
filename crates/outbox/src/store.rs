//! Storing an item together with what puts it into the outbox.

use anyhow::Context as _;
use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use pubsub::unavailable::call_failed;

use crate::{
    Key,
    items::{Item, Items, text},
    table::attributes as outbox,
};

impl Items {
    /// Stores an item with these attributes and, with the same write, puts it into the outbox,
    /// unless there is one with its id. That one is returned then. It may be this very item, if the
    /// answer to the first try of this call was lost.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The item may have been stored even so; storing it again says
    /// which.
    pub async fn store(
        &self,
        key: &Key,
        attributes: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> anyhow::Result<Option<Item>> {
        let all = [("id", text(&key.id))].into_iter();
        let all = all.chain(attributes).chain(outbox(key.shard, key.due_at));
        let item = all.map(|(name, value)| (name.to_owned(), value)).collect();
        let put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match Box::pin(put.send()).await {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                taken.item().cloned().context("DynamoDB did not return the item").map(Some)
            }
            _ => Err(call_failed(error)),
        }
    }
}
