//! The DynamoDB table of coupons. It has one item per order, which is written once.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use orders::{
    keep::{EXPIRES_AT, Keep},
    measure,
    order::OrderId,
};
use pubsub::unavailable::call_failed;

use crate::coupon::{Coupon, random_code};

/// The discount of a new coupon, in percent.
const PERCENT: u32 = 20;

/// The table of coupons. A clone is cheap and shares the connections.
#[derive(Clone)]
pub struct CouponsTable {
    dynamodb: Client,
    name: String,
    keep: Keep,
}

impl CouponsTable {
    /// The table called `name`, which keeps a coupon for `keep`.
    pub fn new(aws: &SdkConfig, name: String, keep: Keep) -> Self {
        Self { dynamodb: Client::new(aws), name, keep }
    }

    /// Grants a coupon for the order `id`, or returns the one that it already has.
    ///
    /// If two workers do this for the same order at the same time, both get the same coupon:
    /// DynamoDB stores the first, and returns it to the second worker.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or the stored coupon cannot be read. A coupon may have been
    /// stored even so; the next call returns it.
    pub async fn grant(&self, id: OrderId) -> anyhow::Result<Coupon> {
        let coupon = Coupon { code: random_code(), percent: PERCENT };
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.name)
            .item("order_id", AttributeValue::S(id.to_string()))
            .item("code", AttributeValue::S(coupon.code.clone()))
            .item("percent", AttributeValue::N(coupon.percent.to_string()))
            .condition_expression("attribute_not_exists(order_id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(expires_at) = self.keep.expires_at() {
            put = put.item(EXPIRES_AT, AttributeValue::N(expires_at));
        }
        match Box::pin(put.send()).await {
            Ok(_) => {
                measure::coupon_granted();
                Ok(coupon)
            }
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                    read(taken.item()).with_context(|| format!("reading the coupon of order {id}"))
                }
                _ => Err(call_failed(error))
                    .with_context(|| format!("storing the coupon of order {id}")),
            },
        }
    }
}

type Item = std::collections::HashMap<String, AttributeValue>;

fn read(item: Option<&Item>) -> anyhow::Result<Coupon> {
    let attribute =
        |name: &str| item.and_then(|item| item.get(name)).context("an attribute is missing");
    let code = attribute("code")?.as_s().ok().context("the code is not a string")?;
    let percent = attribute("percent")?.as_n().ok().context("the percentage is not a number")?;
    Ok(Coupon { code: code.clone(), percent: percent.parse()? })
}
