//! Whole numbers with limits.

use serde::{Deserialize, Deserializer};

use crate::yaml::wrong;

/// A whole number from `MIN` to `MAX`. AWS rejects others at deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<const MIN: u32, const MAX: u32>(pub u32);

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(wrong(format!("is {number}, but AWS accepts {MIN} to {MAX}")))
        }
    }
}
