//! A DynamoDB table, as an addon declares it.

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::copilot::expression::{Text, Value};

/// `AWS::DynamoDB::Table`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Table {
    /// Its physical name.
    pub table_name: Option<Text>,
    /// The attributes that are keys.
    pub attribute_definitions: Vec<Attribute>,
    /// Its key.
    pub key_schema: Vec<Key>,
    /// Other ways to query it.
    #[serde(default)]
    pub global_secondary_indexes: Vec<Index>,
    /// When items go by themselves.
    pub time_to_live_specification: Option<TimeToLive>,
    #[serde(default, rename = "BillingMode")]
    _billing: Option<BillingMode>,
    #[serde(default, rename = "PointInTimeRecoverySpecification")]
    _recovery: Option<Value>,
    #[serde(default, rename = "SSESpecification")]
    _encryption: Option<Value>,
    #[serde(default, rename = "Tags")]
    _tags: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
enum BillingMode {
    #[serde(rename = "PAY_PER_REQUEST")]
    PayPerRequest,
}

/// An attribute that is a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Attribute {
    /// Its name.
    pub attribute_name: Spanned<String>,
    /// `S`, `N` or `B`.
    pub attribute_type: AttributeType,
}

/// What an attribute holds.
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
    /// Which part it is.
    pub key_type: KeyType,
}

/// Which part of a key.
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
    /// What it holds of an item.
    pub projection: Projection,
}

/// What an index holds of an item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Projection {
    /// How much.
    pub projection_type: ProjectionType,
    /// With `INCLUDE`, which attributes.
    #[serde(default)]
    pub non_key_attributes: Vec<String>,
}

/// How much an index holds of an item.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectionType {
    /// All of it.
    All,
    /// Its keys.
    KeysOnly,
    /// Its keys, and some attributes.
    Include,
}

/// When items go by themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TimeToLive {
    /// The attribute that holds the time, in seconds since 1970.
    pub attribute_name: String,
    /// Whether they do.
    pub enabled: bool,
}

impl Table {
    /// The first key whose attribute is not defined, or attribute that is no key.
    ///
    /// AWS refuses both when a stack is deployed.
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
            .or(unused.map(|name| (name, "it is no key, so AttributeDefinitions may not name it")))
            .map(|(name, why)| (name.referenced, format!("AttributeName {:?}: {why}", name.value)))
    }
}
