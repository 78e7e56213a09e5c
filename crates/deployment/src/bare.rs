//! Values as Copilot takes them: a number, true and false without quotes, and a text that is no
//! number. CloudFormation takes either.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IntoDeserializer as _, Visitor},
};
use serde_saphyr::Spanned;

use crate::yaml::wrong;

/// A number, true or false that is not in quotes.
pub struct Bare<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BareVisitor(PhantomData))
    }
}

struct BareVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for BareVisitor<T> {
    type Value = Bare<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, true or false, without quotes")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Bare<T>, E> {
        T::deserialize(value.into_deserializer()).map(Bare)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Bare<T>, E> {
        T::deserialize(value.into_deserializer()).map(Bare)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Bare<T>, E> {
        T::deserialize(value.into_deserializer()).map(Bare)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Bare<T>, E> {
        let what = "is a text: Copilot takes a number, or true or false, without quotes";
        Err(wrong(format!("{value:?} {what}")))
    }
}

/// A field that is [`Bare`].
pub fn required<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Bare::deserialize(deserializer).map(|Bare(value)| value)
}

/// A field that is [`Bare`] if it is there.
pub fn optional<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    required(deserializer).map(Some)
}

/// The same with its place.
pub fn spanned<'de, T, D>(deserializer: D) -> Result<Option<Spanned<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let Spanned { value: Bare(value), referenced, defined } =
        Spanned::<Bare<T>>::deserialize(deserializer)?;
    Ok(Some(Spanned { value, referenced, defined }))
}

/// A text; a number needs quotes to be one.
pub struct Word(pub String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, and no number")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Word, E> {
        Ok(Word(value.to_owned()))
    }
}
