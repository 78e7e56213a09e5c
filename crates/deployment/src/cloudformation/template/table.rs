//! DynamoDB tables.

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::cloudformation::expression::{Text, Value};

/// `AWS::DynamoDB::Table`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Table {
    /// Its physical name.
    pub table_name: Option<Text>,
    /// The attributes that its keys use.
    pub attribute_definitions: Vec<Attribute>,
    /// Its key.
    pub key_schema: Vec<Key>,
    /// Its indexes.
    #[serde(default)]
    pub global_secondary_indexes: Vec<Index>,
    /// When items expire.
    pub time_to_live_specification: Option<TimeToLive>,
    /// Whether it can be restored as it was at any time of the last 35 days.
    pub point_in_time_recovery_specification: Option<PointInTimeRecovery>,
    #[serde(default, rename = "BillingMode")]
    _billing: Option<BillingMode>,
    #[serde(default, rename = "SSESpecification")]
    _encryption: Option<Value>,
    #[serde(default, rename = "Tags")]
    _tags: Option<Value>,
}

/// Whether a table can be restored.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct PointInTimeRecovery {
    /// Whether it can.
    pub point_in_time_recovery_enabled: bool,
    #[serde(default, rename = "RecoveryPeriodInDays")]
    _days: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
enum BillingMode {
    #[serde(rename = "PAY_PER_REQUEST")]
    PayPerRequest,
}

/// An attribute that a key uses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Attribute {
    /// Its name.
    pub attribute_name: Spanned<String>,
    /// `S`, `N` or `B`.
    pub attribute_type: AttributeType,
}

/// The type of an attribute's values.
#[derive(Clone, Copy, Debug, Deserialize)]
pub enum AttributeType {
    /// Text.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

/// A part of a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Key {
    /// The attribute.
    pub attribute_name: Spanned<String>,
    /// The part of the key that it is.
    pub key_type: KeyType,
}

/// The part of a key that an attribute is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyType {
    /// Items are found by it.
    Hash,
    /// Items are sorted by it.
    Range,
}

/// A global secondary index.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Index {
    /// Its name.
    pub index_name: String,
    /// Its key.
    pub key_schema: Vec<Key>,
    /// The attributes that it copies from each item.
    pub projection: Projection,
}

/// The attributes that an index copies from each item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Projection {
    /// Which attributes.
    pub projection_type: ProjectionType,
    /// With `INCLUDE`, the attributes to copy in addition to the keys.
    #[serde(default)]
    pub non_key_attributes: Vec<String>,
}

/// Which attributes an index copies from each item.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectionType {
    /// All.
    All,
    /// The keys.
    KeysOnly,
    /// The keys and some others.
    Include,
}

/// When items expire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TimeToLive {
    /// The attribute that holds the time, in seconds since 1970.
    pub attribute_name: String,
    /// Whether they expire at all.
    pub enabled: bool,
}

impl Table {
    /// The first key whose attribute is not defined, or attribute that no key uses.
    ///
    /// AWS rejects both at deployment.
    pub fn undefined_key(&self) -> Option<(Location, String)> {
        let indexes = self.global_secondary_indexes.iter();
        let keys: Vec<&Spanned<String>> = self
            .key_schema
            .iter()
            .chain(indexes.flat_map(|index| &index.key_schema))
            .map(|key| &key.attribute_name)
            .collect();
        let defined: Vec<&Spanned<String>> = (self.attribute_definitions.iter())
            .map(|attribute| &attribute.attribute_name)
            .collect();
        let differs = |name: &Spanned<String>, others: &[&Spanned<String>]| {
            !others.iter().any(|other| other.value == name.value)
        };
        let undefined = keys.iter().find(|key| differs(key, &defined));
        let unused = defined.iter().find(|name| differs(name, &keys));
        undefined
            .map(|key| (key, "AttributeDefinitions does not define it"))
            .or(unused
                .map(|name| (name, "no key uses it, so AttributeDefinitions must not define it")))
            .map(|(name, why)| (name.referenced, format!("AttributeName {:?}: {why}", name.value)))
    }
}
