//! The values of a resource that exists.

use std::collections::BTreeMap;

/// The values of a resource that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The result of `Ref`.
    pub reference: String,
    /// The results of `Fn::GetAtt`, by attribute.
    pub attributes: BTreeMap<&'static str, String>,
}

impl Made {
    /// A table.
    pub fn table(name: &str, arn: String) -> Self {
        Self { reference: name.to_owned(), attributes: [("Arn", arn)].into() }
    }

    /// A bucket. Its ARN has neither region nor account: all buckets of AWS have different names.
    pub fn bucket(name: &str) -> Self {
        let arn = format!("arn:aws:s3:::{name}");
        Self { reference: name.to_owned(), attributes: [("Arn", arn)].into() }
    }

    /// A queue.
    pub fn queue(name: &str, url: String, arn: String) -> Self {
        Self {
            reference: url.clone(),
            attributes: [("Arn", arn), ("QueueName", name.to_owned()), ("QueueUrl", url)].into(),
        }
    }

    /// A topic.
    pub fn topic(name: &str, arn: String) -> Self {
        Self {
            reference: arn.clone(),
            attributes: [("TopicArn", arn), ("TopicName", name.to_owned())].into(),
        }
    }

    /// A role.
    pub fn role(name: &str, arn: String) -> Self {
        Self { reference: name.to_owned(), attributes: [("Arn", arn)].into() }
    }

    /// A managed policy.
    pub fn policy(arn: String) -> Self {
        Self { reference: arn, attributes: BTreeMap::new() }
    }

    /// A resource whose values nobody uses here.
    pub fn nothing() -> Self {
        Self { reference: String::new(), attributes: BTreeMap::new() }
    }
}
