//! Reads a YAML file into a type, strictly: a key that the type does not have is a [`Mistake`].

use std::{fmt, fs, marker::PhantomData, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
        value::MapAccessDeserializer,
    },
};
use serde_path_to_error::{Path as KeyPath, Segment};
use serde_saphyr::{DefaultMessageFormatter, Location, MessageFormatter as _, Spanned};

use crate::mistake::Mistake;

/// Reads the file at `path`.
///
/// # Errors
///
/// [`Mistake`] if it cannot be read, is not YAML, or is not a `T`.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Mistake> {
    let text = fs::read_to_string(path)
        .map_err(|error| Mistake::of(path, format!("cannot be read: {error}")))?;
    parse(path, &text)
}

/// Reads `text`, the content of the file at `path`.
///
/// # Errors
///
/// [`Mistake`] if it is not YAML, or is not a `T`.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Mistake> {
    let mut key = None;
    let outcome = serde_saphyr::with_deserializer_from_str(text, |yaml| {
        let mut track = serde_path_to_error::Track::new();
        T::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track))
            .inspect_err(|_| key = key_name(&track.path()))
    });
    outcome.map_err(|error| {
        let error = error.without_snippet();
        let location = error.location().unwrap_or(Location::UNKNOWN);
        let what = DefaultMessageFormatter.format_message(error);
        match key {
            Some(key) => Mistake::at(path, location, format!("{key}: {what}")),
            None => Mistake::at(path, location, what),
        }
    })
}

/// A name such as `subscribe.queue.timeout`. The parser adds segments of its own, called `value`.
fn key_name(path: &KeyPath) -> Option<String> {
    let mut name = String::new();
    for segment in path {
        match segment {
            Segment::Map { key } if key == "value" => {}
            Segment::Map { key } if name.is_empty() => name.push_str(key),
            Segment::Map { key } => {
                name.push('.');
                name.push_str(key);
            }
            Segment::Seq { index } => name.push_str(&format!("[{index}]")),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    Some(name).filter(|name| !name.is_empty())
}

/// A value with a short form, a scalar, and a long form, a map.
///
/// Unlike an untagged enum it keeps the place of a mistake inside the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShortOr<S, L> {
    /// The scalar.
    Short(S),
    /// The map.
    Long(L),
}

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for ShortOr<S, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShortOrVisitor(PhantomData))
    }
}

struct ShortOrVisitor<S, L>(PhantomData<(S, L)>);

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Visitor<'de> for ShortOrVisitor<S, L> {
    type Value = ShortOr<S, L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value or a map")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
        S::deserialize(value.into_deserializer()).map(ShortOr::Short)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        S::deserialize(value.into_deserializer()).map(ShortOr::Short)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        S::deserialize(value.into_deserializer()).map(ShortOr::Short)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        S::deserialize(value.into_deserializer()).map(ShortOr::Short)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
        S::deserialize(value.into_deserializer()).map(ShortOr::Short)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        L::deserialize(MapAccessDeserializer::new(map)).map(ShortOr::Long)
    }
}

/// A value that is a list, a map, or a single item instead of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListOr<T, L> {
    /// The items.
    List(Vec<T>),
    /// The map.
    Long(L),
}

impl<'de, T: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for ListOr<T, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListOrVisitor(PhantomData))
    }
}

struct ListOrVisitor<T, L>(PhantomData<(T, L)>);

impl<'de, T: Deserialize<'de>, L: Deserialize<'de>> Visitor<'de> for ListOrVisitor<T, L> {
    type Value = ListOr<T, L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list or a map")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(ListOr::List(vec![T::deserialize(value.into_deserializer())?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(ListOr::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        L::deserialize(MapAccessDeserializer::new(map)).map(ListOr::Long)
    }
}

/// A map in the order of the file that knows the places of its keys.
#[derive(Clone, Debug)]
pub struct Entries<V>(Vec<(Spanned<String>, V)>);

impl<V> Entries<V> {
    /// Its keys and values.
    pub fn iter(&self) -> impl Iterator<Item = &(Spanned<String>, V)> {
        self.0.iter()
    }
}

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

/// A scalar as text: `5000` and `"5000"` are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.to_owned()))
    }
}

/// An error at the place of the value that is being read.
pub fn wrong<E: serde::de::Error>(what: impl fmt::Display) -> E {
    E::custom(what)
}
