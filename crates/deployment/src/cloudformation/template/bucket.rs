//! S3 buckets, and who may use them.
//!
//! A local account has neither encryption nor public access, and its objects do not expire, so most
//! settings are only checked.

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::{
    cloudformation::expression::{Text, Value},
    within::Within,
};

/// The longest lifetime of an object, in days.
const MAX_DAYS: u32 = i32::MAX as u32;

/// `AWS::S3::Bucket`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct Bucket {
    /// Its physical name.
    pub bucket_name: Option<Text>,
    /// How its objects are encrypted.
    pub bucket_encryption: Option<Encryption>,
    /// What nobody may make public.
    pub public_access_block_configuration: Option<PublicAccessBlock>,
    /// Whose the objects are.
    pub ownership_controls: Option<Ownership>,
    /// When objects expire.
    pub lifecycle_configuration: Option<Lifecycle>,
    /// Whether it keeps former versions of objects.
    pub versioning_configuration: Option<Versioning>,
    #[serde(rename = "Tags")]
    _tags: Option<Value>,
}

/// `AWS::S3::BucketPolicy`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct BucketPolicy {
    /// The name of the bucket.
    pub bucket: Text,
    /// The policy.
    pub policy_document: Value,
}

/// How objects are encrypted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Encryption {
    /// One rule.
    pub server_side_encryption_configuration: Vec<EncryptionRule>,
}

/// How objects are encrypted whose upload does not say how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct EncryptionRule {
    /// The algorithm and the key.
    pub server_side_encryption_by_default: EncryptionByDefault,
    /// Whether a key of the bucket saves calls of KMS.
    #[serde(default)]
    pub bucket_key_enabled: bool,
}

/// An algorithm and a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionByDefault {
    /// The algorithm.
    #[serde(rename = "SSEAlgorithm")]
    pub algorithm: Algorithm,
    /// The key of KMS.
    #[serde(rename = "KMSMasterKeyID")]
    pub key: Option<Text>,
}

/// How S3 encrypts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Algorithm {
    /// With a key of its own.
    #[serde(rename = "AES256")]
    Aes,
    /// With a key of KMS.
    #[serde(rename = "aws:kms")]
    Kms,
    /// Twice, with a key of KMS.
    #[serde(rename = "aws:kms:dsse")]
    KmsTwice,
}

/// What nobody may make public.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct PublicAccessBlock {
    /// Refuses public access control lists.
    pub block_public_acls: bool,
    /// Refuses public policies.
    pub block_public_policy: bool,
    /// Passes over public access control lists.
    pub ignore_public_acls: bool,
    /// Lets only this account in if a policy is public.
    pub restrict_public_buckets: bool,
}

/// Whose the objects are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Ownership {
    /// One rule.
    pub rules: Vec<OwnershipRule>,
}

/// Whose the objects are.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct OwnershipRule {
    /// Whose.
    pub object_ownership: ObjectOwnership,
}

/// Whose the objects are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum ObjectOwnership {
    /// The bucket's owner; access control lists have no effect.
    BucketOwnerEnforced,
    /// The bucket's owner, if the upload says so.
    BucketOwnerPreferred,
    /// Those that uploaded them.
    ObjectWriter,
}

/// When objects expire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Lifecycle {
    /// The rules; the first expiry of an object counts.
    pub rules: Vec<Spanned<LifecycleRule>>,
}

/// When some objects expire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct LifecycleRule {
    /// Its name.
    pub id: Option<String>,
    /// Whether it applies.
    pub status: Status,
    /// What the keys of its objects begin with.
    pub prefix: Option<String>,
    /// Days after the upload.
    pub expiration_in_days: Option<Within<1, MAX_DAYS>>,
    /// When the parts of an upload expire that was never completed.
    pub abort_incomplete_multipart_upload: Option<AbortUpload>,
}

/// Whether something applies.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
}

/// When the parts of an upload expire.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct AbortUpload {
    /// Days after its beginning.
    pub days_after_initiation: Within<0, MAX_DAYS>,
}

/// Whether a bucket keeps former versions of objects.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Versioning {
    /// Whether it does.
    pub status: VersioningStatus,
}

/// Whether a bucket keeps former versions of objects.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum VersioningStatus {
    /// It does.
    Enabled,
    /// Not any more.
    Suspended,
}

impl Bucket {
    /// The first setting that S3 rejects at deployment, although each of its parts is right.
    pub fn wrong(&self) -> Option<(Location, String)> {
        let rules = self.lifecycle_configuration.iter().flat_map(|it| &it.rules);
        let is_idle = |rule: &&Spanned<LifecycleRule>| {
            rule.value.expiration_in_days.is_none()
                && rule.value.abort_incomplete_multipart_upload.is_none()
        };
        let idle = rules.into_iter().find(is_idle)?;
        let what = "LifecycleConfiguration.Rules: a rule says what expires when: ExpirationInDays \
                    or AbortIncompleteMultipartUpload";
        Some((idle.referenced, what.to_owned()))
    }
}
