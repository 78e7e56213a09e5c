//! `overrides/cfn.patches.yml`: what a service changes in the template that Copilot writes.

use serde::{Deserialize, Deserializer};

use super::{expression::Value, yaml::wrong};

/// One change, in the manner of RFC 6902. Copilot knows three of its operations.
#[derive(Clone, Debug)]
pub struct Patch;

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Keys {
            op: Operation,
            #[serde(rename = "path")]
            _path: Pointer,
            value: Option<Value>,
        }
        let keys = Keys::deserialize(deserializer)?;
        match (keys.op, keys.value) {
            (Operation::Add | Operation::Replace, None) => Err(wrong("the patch has no value")),
            (Operation::Remove, Some(_)) => Err(wrong("a patch that removes has no value")),
            _ => Ok(Self),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Add,
    Replace,
    Remove,
}

/// Where in the template: a JSON pointer (RFC 6901).
struct Pointer;

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.starts_with('/') {
            Ok(Self)
        } else {
            Err(wrong(format!("{text:?} should start with /, such as /Resources")))
        }
    }
}
