//! Idempotency keys: how a program sends an order again without placing a second one.

use std::{fmt, str::FromStr};

use thiserror::Error;
use uuid::{Uuid, Variant, Version};

use crate::order::{Amount, CustomerName, Order, OrderId};

/// A key that a program drew at random for one order: a UUID of version 4 or 7.
///
/// Without a login, programs cannot be told apart. A random key separates them just as well: no two
/// draw the same, and nobody can guess it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(Uuid);

impl IdempotencyKey {
    /// The order that was sent with this key. Its id depends on the key and on everything in the
    /// order: the same request gives the same order, and the same key with another order gives
    /// another id. So who learns a key can neither compute the id, nor take it first.
    pub fn order(self, customer: CustomerName, amount: Amount) -> Order {
        // No part can contain a NUL.
        let request = format!("{self}\0{customer}\0{amount}");
        Order { id: OrderId::derived(&request), customer, amount }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    /// Reads a UUID, also between quotes, as draft-ietf-httpapi-idempotency-key-header writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let key = Uuid::try_parse(quoted.unwrap_or(text)).map_err(|_| InvalidIdempotencyKey)?;
        let is_random = matches!(key.get_version(), Some(Version::Random | Version::SortRand));
        let is_valid = is_random && key.get_variant() == Variant::RFC4122;
        is_valid.then_some(Self(key)).ok_or(InvalidIdempotencyKey)
    }
}

/// Why a text is not an [`IdempotencyKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "An Idempotency-Key is a random UUID (version 4 or 7), like \
     8e03978e-40d5-43dd-bc93-6894a57f9324. Draw a new one for each order."
)]
pub struct InvalidIdempotencyKey;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

    fn id(key: &str, customer: &str, amount: &str) -> OrderId {
        let key: IdempotencyKey = key.parse().unwrap();
        let order = key.order(customer.parse().unwrap(), amount.parse().unwrap());
        assert_eq!(
            (order.customer.as_str(), order.amount.to_string().as_str()),
            (customer, "42.00")
        );
        order.id
    }

    #[test]
    fn the_same_request_names_one_order_for_ever() {
        let first = id(KEY, "Ada", "42");
        assert_eq!(id(&format!("\"{}\"", KEY.to_uppercase()), "Ada", "42.00"), first);
        // A release that computed another id would place the order of a program again that sends
        // the request before and after the deployment.
        assert_eq!(first.to_string(), "167650ed-eaa4-5a74-83c1-6f74b26e6d3a");
    }

    #[test]
    fn another_key_or_another_order_gives_another_id() {
        let other = "8e03978e-40d5-43dd-bc93-6894a57f9325";
        let ids = [id(KEY, "Ada", "42"), id(other, "Ada", "42"), id(KEY, "Bob", "42")];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
        // Neither the key nor its hash is the id.
        let key: IdempotencyKey = KEY.parse().unwrap();
        assert!(ids.iter().all(|id| id.to_string() != KEY && *id != OrderId::derived(KEY)));
        assert_eq!(key.to_string(), KEY);
    }

    #[test]
    fn a_key_is_a_random_uuid() {
        for key in
            [KEY, "01936f8a-5b7c-7cc0-98c4-dc0c0c07398f", "{8e03978e-40d5-43dd-bc93-6894a57f9324}"]
        {
            assert!(key.parse::<IdempotencyKey>().is_ok(), "{key}");
        }
        for key in [
            "",
            "1",
            "order 17",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            // Of version 1 and version 5, and of another variant.
            "2f5c1b52-6a0e-1c0b-9d3a-71f08e64c2d9",
            "2f5c1b52-6a0e-5c0b-9d3a-71f08e64c2d9",
            "2f5c1b52-6a0e-4c0b-1d3a-71f08e64c2d9",
            "\"8e03978e-40d5-43dd-bc93-6894a57f9324",
            "8e03978e-40d5-43dd-bc93-6894a57f93240",
        ] {
            assert_eq!(key.parse::<IdempotencyKey>(), Err(InvalidIdempotencyKey), "{key}");
        }
    }
}
