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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_limits_which_help_and_errors_name() {
        let limited = || {
            let number = Arg::new("number").long("number").value_parser(between::<u8>(1, 10));
            Command::new("test").arg(number)
        };
        for typed in ["1", "10"] {
            let matches = limited().try_get_matches_from(["test", "--number", typed]).unwrap();
            assert_eq!(matches.get_one::<u8>("number").map(u8::to_string).as_deref(), Some(typed));
        }
        for typed in ["0", "11", "266", "1.5", "many", ""] {
            let refused = limited().try_get_matches_from(["test", "--number", typed]).unwrap_err();
            let error = refused.to_string();
            assert!(error.contains("not a whole number from 1 to 10"), "{typed:?}: {error}");
        }
        let help = limited().render_long_help().to_string();
        assert!(help.contains("1-10"), "{help}");
    }
}
