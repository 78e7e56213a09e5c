//! Limits of settings that are numbers.

use std::{ffi::OsStr, marker::PhantomData};

use clap::{
    Arg, Command,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

/// A `clap` value parser for whole numbers from `least` to `most`, with the limits in `--help`.
pub fn between<T>(least: u64, most: u64) -> impl TypedValueParser<Value = T>
where
    T: TryFrom<u64> + Clone + Send + Sync + 'static,
{
    Between { least, most, number: PhantomData }
}

#[derive(Clone)]
struct Between<T> {
    least: u64,
    most: u64,
    number: PhantomData<T>,
}

impl<T: TryFrom<u64> + Clone + Send + Sync + 'static> TypedValueParser for Between<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let &Self { least, most, .. } = self;
        let number = move |text: String| {
            let number = text.parse().ok().filter(|number| (least..=most).contains(number));
            let number = number.and_then(|number| T::try_from(number).ok());
            number.ok_or_else(|| format!("not a whole number from {least} to {most}"))
        };
        StringValueParser::new().try_map(number).parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let limits = format!("{}-{}", self.least, self.most);
        Some(Box::new(std::iter::once(PossibleValue::new(limits))))
    }
}
