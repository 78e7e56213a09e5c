//! Ranges of addresses, such as `10.0.0.0/16`.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer};

use crate::yaml::wrong;

/// A range of addresses in CIDR notation.
#[derive(Clone, Debug)]
pub struct AddressRange;

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once('/');
        let fits = parts.is_some_and(|(address, bits)| match address.parse() {
            Ok(IpAddr::V4(_)) => bits.parse::<u8>().is_ok_and(|it| it <= 32),
            Ok(IpAddr::V6(_)) => bits.parse::<u8>().is_ok_and(|it| it <= 128),
            Err(_) => false,
        });
        if fits {
            Ok(Self)
        } else {
            Err(wrong(format!("{text:?} is not a range such as 10.0.0.0/16")))
        }
    }
}
