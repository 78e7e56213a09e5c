//! Identity and access management of the embedded account: it judges calls as IAM does.
//!
//! Each service signs with the access key of its own role, and each of its calls is judged by the
//! policies of that role and of the queue or bucket. SNS delivers to a queue only if the queue's
//! policy lets it. Any other access key is the administrator's, who may do everything: the
//! developer's own tools, and tests. It differs from AWS as follows:
//!
//! - It takes the access key for who calls, and checks no signature.
//! - It does not judge by the policies of topics and of encryption keys.
//! - Changes of policies have their effect immediately. On AWS, they may take a minute.

pub mod judge;

pub mod grants;

mod asked;
mod refusal;

#[cfg(test)]
mod tests;

pub use asked::{Asked, asked, bucket_arn, object_arn};
pub(crate) use judge::access_key;
pub use judge::{Caller, Judge, Role};
pub use refusal::Refusal;
