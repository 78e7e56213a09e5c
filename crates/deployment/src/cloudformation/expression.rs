//! Values in a CloudFormation template: plain values and calls of intrinsic functions.

use std::collections::BTreeMap;

use serde_saphyr::Location;

mod functions;

/// Any value in a template, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it begins.
    pub location: Location,
    /// Where its key is, if it is an entry of a map; otherwise where it begins.
    pub key: Location,
    /// The value itself.
    pub data: Data,
}

/// A value without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Null, true, false or a number.
    Plain(serde_json::Value),
    /// A text, known now or once the resources that it refers to exist.
    Text(Text),
    /// A list.
    List(Vec<Value>),
    /// A map.
    Map(BTreeMap<String, Value>),
    /// A function whose value only CloudFormation computes, or that chooses by a condition.
    Call(Box<Call>),
}

/// A call of a function that is not an [`Expression`] of its own, such as `Fn::If`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function, without `Fn::`.
    pub function: String,
    /// What it is called with.
    pub argument: Value,
}

/// A text and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it begins.
    pub location: Location,
    /// How to compute it.
    pub expression: Expression,
}

/// How to compute a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// The text itself.
    Literal(String),
    /// `Ref`: the value of a parameter, or what identifies a resource.
    Ref(String),
    /// `Fn::GetAtt`: an attribute of a resource.
    Attribute(String, String),
    /// `Fn::Sub`: pieces to concatenate.
    Join(Vec<Expression>),
    /// `Fn::ImportValue`: an output that another stack exports under a name.
    Import(Box<Expression>),
    /// Another function.
    Call(Box<Call>),
}

impl Text {
    /// A text that no file contains.
    pub fn made(expression: Expression) -> Self {
        Self { location: Location::UNKNOWN, expression }
    }
}

impl Value {
    /// A text that no file contains.
    pub fn literal(text: &str) -> Self {
        Self::text(Text::made(Expression::Literal(text.to_owned())))
    }

    /// A text.
    pub fn text(text: Text) -> Self {
        Self::made(Data::Text(text))
    }

    /// A list that no file contains.
    pub fn list(values: Vec<Value>) -> Self {
        Self::made(Data::List(values))
    }

    /// A map that no file contains.
    pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Self {
        let entries = entries.map(|(key, value)| (key.to_owned(), value));
        Self::made(Data::Map(entries.into()))
    }

    /// A null that no file contains.
    pub fn null() -> Self {
        Self::made(Data::Plain(serde_json::Value::Null))
    }

    /// A `Ref` that no file contains.
    pub fn reference(name: &str) -> Self {
        Self::text(Text::made(Expression::Ref(name.to_owned())))
    }

    /// A value that no file contains.
    pub fn made(data: Data) -> Self {
        Self { location: Location::UNKNOWN, key: Location::UNKNOWN, data }
    }

    /// The entries of this value, if it is a map.
    pub fn entries(&self) -> Option<&BTreeMap<String, Self>> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of this value if it is a list, and otherwise the value itself.
    pub fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(values) => values,
            _ => std::slice::from_ref(self),
        }
    }

    /// The entry or item of this value that `token` of a JSON pointer selects.
    pub fn child(&mut self, token: &str) -> Option<&mut Self> {
        match &mut self.data {
            Data::Map(entries) => entries.get_mut(token),
            Data::List(values) => values.get_mut(index(token)?),
            Data::Plain(_) | Data::Text(_) | Data::Call(_) => None,
        }
    }

    /// The value at `path`, names of entries and indexes of items.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, token| match &value.data {
            Data::Map(entries) => entries.get(*token),
            Data::List(values) => values.get(index(token)?),
            Data::Plain(_) | Data::Text(_) | Data::Call(_) => None,
        })
    }

    /// How to compute this value, if it is a text.
    pub fn as_expression(&self) -> Option<&Expression> {
        match &self.data {
            Data::Text(text) => Some(&text.expression),
            _ => None,
        }
    }

    /// The text of this value, if it is one without functions.
    pub fn as_literal(&self) -> Option<&str> {
        match &self.data {
            Data::Text(Text { expression: Expression::Literal(text), .. }) => Some(text),
            _ => None,
        }
    }
}

/// The index that `token` of a JSON pointer stands for. RFC 6901 forbids leading zeros.
pub fn index(token: &str) -> Option<usize> {
    token.parse().ok().filter(|index: &usize| index.to_string() == token)
}
