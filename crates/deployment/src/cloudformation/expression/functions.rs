//! Reads values, with the intrinsic functions in their short and long forms. `Ref`, `Fn::GetAtt`,
//! `Fn::Sub`, `Fn::ImportValue` and `Fn::Join` become expressions; the others stay calls.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned, Tagged};

use super::{Call, Data, Expression, Text, Value};
use crate::yaml::wrong;

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Tagged<Raw>>::deserialize(deserializer)?;
        let Tagged(raw, tag) = spanned.value;
        Ok(Self {
            location: spanned.referenced,
            key: spanned.referenced,
            data: data(spanned.referenced, raw, tag.as_deref()).map_err(wrong)?,
        })
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)?.data {
            Data::Text(text) => Ok(text),
            Data::Call(call) => {
                Ok(Self { location: call.argument.location, expression: Expression::Call(call) })
            }
            _ => Err(wrong("should be a text or a function that returns one")),
        }
    }
}

/// A value whose tag is not interpreted yet.
enum Raw {
    Plain(serde_json::Value),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

fn data(location: Location, raw: Raw, tag: Option<&str>) -> Result<Data, String> {
    let text = |expression| Data::Text(Text { location, expression });
    // Tags of YAML itself, such as `!!str`, add nothing to the value.
    let tag = tag.filter(|tag| tag.starts_with('!'));
    let (function, argument) = match (tag, raw) {
        (None, Raw::Plain(plain)) => return Ok(Data::Plain(plain)),
        (None, Raw::Text(literal)) => return Ok(text(Expression::Literal(literal))),
        (None, Raw::List(values)) => return Ok(Data::List(values)),
        (None, Raw::Map(map)) => match long_form(map) {
            Ok((function, argument)) => (function, argument),
            Err(map) => return Ok(Data::Map(map)),
        },
        (Some(tag), raw) => {
            let name = tag.trim_start_matches('!').to_owned();
            let data = data(location, raw, None)?;
            (name, Value { location, key: location, data })
        }
    };
    if CALLS.contains(&function.as_str()) {
        return Ok(called(function, argument).map_or_else(Data::Call, text));
    }
    call(&function, argument).map(text)
}

/// The functions that are kept as they are.
const CALLS: [&str; 12] = [
    "And",
    "Cidr",
    "Condition",
    "Equals",
    "FindInMap",
    "GetAZs",
    "If",
    "Join",
    "Not",
    "Or",
    "Select",
    "Split",
];

/// A `!Join` of texts is one text; other calls stay what they are.
fn called(function: String, argument: Value) -> Result<Expression, Box<Call>> {
    if function == "Join"
        && let [Value { data: Data::Text(delimiter), .. }, Value { data: Data::List(items), .. }] =
            argument.items()
        && let Some(texts) = items.iter().map(as_expression).collect::<Option<Vec<_>>>()
    {
        let between = std::iter::repeat(delimiter.expression.clone());
        let pieces = between.zip(texts).flat_map(|(between, text)| [between, text]).skip(1);
        return Ok(Expression::Join(pieces.collect()));
    }
    Err(Box::new(Call { function, argument }))
}

fn as_expression(value: &Value) -> Option<Expression> {
    match &value.data {
        Data::Text(text) => Some(text.expression.clone()),
        _ => None,
    }
}

/// `Ref: x` and `Fn::Sub: x` are functions; every other map is a map.
fn long_form(mut map: BTreeMap<String, Value>) -> Result<(String, Value), BTreeMap<String, Value>> {
    let function = match map.keys().next() {
        Some(key) if map.len() == 1 && key == "Ref" => key.clone(),
        Some(key) if map.len() == 1 && key.starts_with("Fn::") => key.clone(),
        _ => return Err(map),
    };
    match map.remove(&function) {
        Some(argument) => Ok((function.trim_start_matches("Fn::").to_owned(), argument)),
        None => Err(map),
    }
}

fn call(function: &str, argument: Value) -> Result<Expression, String> {
    match (function, argument.data) {
        ("Ref", Data::Text(name)) => literal(name).map(Expression::Ref),
        ("GetAtt", Data::Text(name)) => attribute(&literal(name)?),
        ("GetAtt", Data::List(parts)) => {
            let mut names = Vec::new();
            for part in parts {
                match part.data {
                    Data::Text(text) => names.push(literal(text)?),
                    _ => return Err("!GetAtt takes a resource and an attribute".to_owned()),
                }
            }
            attribute(&names.join("."))
        }
        ("Sub", Data::Text(format)) => substitute(&literal(format)?, &BTreeMap::new()),
        ("Sub", Data::List(parts)) => substitute_with(parts),
        ("ImportValue", Data::Text(name)) => Ok(Expression::Import(Box::new(name.expression))),
        ("Ref" | "GetAtt" | "Sub" | "ImportValue", _) => {
            Err(format!("!{function} does not take this kind of argument"))
        }
        _ => {
            Err(format!("CloudFormation has no function !{function}, or it is not supported here"))
        }
    }
}

fn literal(text: Text) -> Result<String, String> {
    match text.expression {
        Expression::Literal(literal) => Ok(literal),
        _ => Err("the argument cannot be a function here".to_owned()),
    }
}

fn attribute(name: &str) -> Result<Expression, String> {
    name.split_once('.')
        .map(|(resource, attribute)| {
            Expression::Attribute(resource.to_owned(), attribute.to_owned())
        })
        .ok_or_else(|| format!("{name:?} should be a resource, a dot and an attribute"))
}

/// `!Sub [format, {name: value}]`.
fn substitute_with(parts: Vec<Value>) -> Result<Expression, String> {
    const FORM: &str = "!Sub takes a text, or a list of a text and a map";
    let [format, values] = <[Value; 2]>::try_from(parts).map_err(|_| FORM.to_owned())?;
    let (Data::Text(format), Data::Map(map)) = (format.data, values.data) else {
        return Err(FORM.to_owned());
    };
    let mut values = BTreeMap::new();
    for (name, value) in map {
        let Data::Text(text) = value.data else {
            return Err(FORM.to_owned());
        };
        values.insert(name, text.expression);
    }
    substitute(&literal(format)?, &values)
}

/// `${Name}` is a `Ref`, `${Name.Attribute}` is a `GetAtt`, and `${!Name}` is the text `${Name}`.
fn substitute(format: &str, values: &BTreeMap<String, Expression>) -> Result<Expression, String> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("{format:?} has a ${{ without a }}"))?;
        pieces.push(Expression::Literal(before.to_owned()));
        let name = name.trim();
        pieces.push(match (name.strip_prefix('!'), values.get(name)) {
            (Some(verbatim), _) => Expression::Literal(format!("${{{verbatim}}}")),
            (None, Some(value)) => value.clone(),
            (None, None) if name.starts_with("AWS::") => Expression::Ref(name.to_owned()),
            (None, None) if name.contains('.') => attribute(name)?,
            (None, None) => Expression::Ref(name.to_owned()),
        });
        rest = after;
    }
    pieces.push(Expression::Literal(rest.to_owned()));
    Ok(Expression::Join(pieces))
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(serde_json::Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Raw::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut values = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<Spanned<String>, Value>()? {
            values.insert(key.value, Value { key: key.referenced, ..value });
        }
        Ok(Raw::Map(values))
    }
}
