//! `Conditions` of a template: which of its parts apply with given parameters.

use std::collections::BTreeMap;

use super::expression::{Data, Expression, Text, Value};
use crate::mistake::Wrong;

/// What `Ref` of it removes the entry or item that it is the value of.
const NO_VALUE: &str = "AWS::NoValue";

/// The conditions of a template, each true or false.
#[derive(Clone, Debug, Default)]
pub struct Conditions(BTreeMap<String, bool>);

impl Conditions {
    /// Evaluates `declared`, the section of the template, with `parameters`.
    ///
    /// # Errors
    ///
    /// The first that is not understood, and its place.
    pub fn of(
        declared: &BTreeMap<String, Value>,
        parameters: &BTreeMap<String, Text>,
    ) -> Result<Self, Wrong> {
        let section = Section { declared, parameters };
        let evaluated = declared.iter().map(|(name, value)| {
            let holds = section.holds(value, declared.len());
            let wrong = |(place, what)| (place, format!("Conditions.{name}: {what}"));
            Ok((name.clone(), holds.map_err(wrong)?))
        });
        evaluated.collect::<Result<_, _>>().map(Self)
    }

    /// Whether the condition `name` holds; `None` if there is none.
    pub fn holds(&self, name: &str) -> Option<bool> {
        self.0.get(name).copied()
    }

    /// `value` with each `!If` replaced by what it chooses; `None` if nothing is left of it.
    ///
    /// # Errors
    ///
    /// The first `!If` without a condition, and its place.
    pub fn applied(&self, value: Value) -> Result<Option<Value>, Wrong> {
        let place = value.location;
        let data = match value.data {
            Data::Text(Text { expression: Expression::Ref(name), .. }) if name == NO_VALUE => {
                return Ok(None);
            }
            Data::Call(call) if call.function == "If" => {
                return self.applied(self.choice(call.argument, place)?);
            }
            Data::List(items) => {
                let items = items.into_iter().filter_map(|it| self.applied(it).transpose());
                Data::List(items.collect::<Result<_, _>>()?)
            }
            Data::Map(entries) => {
                let entries = entries.into_iter().filter_map(|(name, value)| {
                    let applied = self.applied(value).transpose()?;
                    Some(applied.map(|value| (name, value)))
                });
                Data::Map(entries.collect::<Result<_, _>>()?)
            }
            data => data,
        };
        Ok(Some(Value { data, ..value }))
    }

    /// The same for a text.
    ///
    /// # Errors
    ///
    /// As above, and if it does not choose a text.
    pub fn applied_to_text(&self, text: Text) -> Result<Text, Wrong> {
        let place = text.location;
        let Expression::Call(call) = text.expression else { return Ok(text) };
        let value = Value { location: place, key: place, data: Data::Call(call) };
        match self.applied(value)?.map(|value| value.data) {
            Some(Data::Text(text)) => Ok(text),
            Some(Data::Call(call)) => {
                Ok(Text { location: place, expression: Expression::Call(call) })
            }
            _ => Err((place, "it should be a text".to_owned())),
        }
    }

    /// What `!If [condition, one, other]` chooses.
    fn choice(&self, argument: Value, place: serde_saphyr::Location) -> Result<Value, Wrong> {
        let form = || (place, "!If takes a condition and two values".to_owned());
        let Data::List(items) = argument.data else { return Err(form()) };
        let [condition, one, other] = <[Value; 3]>::try_from(items).map_err(|_| form())?;
        let name = condition.as_literal().ok_or_else(form)?;
        match self.holds(name) {
            Some(true) => Ok(one),
            Some(false) => Ok(other),
            None => Err((place, format!("!If: there is no condition {name}"))),
        }
    }
}

/// What conditions are made of.
struct Section<'a> {
    declared: &'a BTreeMap<String, Value>,
    parameters: &'a BTreeMap<String, Text>,
}

impl Section<'_> {
    /// Conditions may refer to one another, so deep and no deeper.
    fn holds(&self, value: &Value, depth: usize) -> Result<bool, Wrong> {
        let wrong = |what: &str| Err((value.location, what.to_owned()));
        let Data::Call(call) = &value.data else {
            return wrong("it should be !Equals, !Not, !And, !Or or !Condition");
        };
        let of_each = || call.argument.items().iter().map(|it| self.holds(it, depth));
        match call.function.as_str() {
            "Equals" => match call.argument.items() {
                [one, other] => Ok(self.text(one)? == self.text(other)?),
                _ => wrong("!Equals takes two texts"),
            },
            "Not" => match call.argument.items() {
                [one] => Ok(!self.holds(one, depth)?),
                _ => wrong("!Not takes one condition"),
            },
            "And" => of_each().try_fold(true, |all, it| Ok(it? && all)),
            "Or" => of_each().try_fold(false, |any, it| Ok(it? || any)),
            "Condition" => {
                let named = call.argument.as_literal().and_then(|name| self.declared.get(name));
                match (named, depth.checked_sub(1)) {
                    (Some(named), Some(depth)) => self.holds(named, depth),
                    (Some(_), None) => wrong("it refers to itself"),
                    (None, _) => wrong("it refers to no condition"),
                }
            }
            other => wrong(&format!("!{other} is no condition")),
        }
    }

    fn text(&self, value: &Value) -> Result<String, Wrong> {
        let wrong = |what: String| Err((value.location, what));
        let Data::Text(text) = &value.data else {
            return wrong("!Equals takes texts: put them in quotes".to_owned());
        };
        let expression = match &text.expression {
            Expression::Ref(name) => match self.parameters.get(name) {
                Some(argument) => &argument.expression,
                None => return wrong(format!("there is no parameter {name}")),
            },
            other => other,
        };
        match expression {
            Expression::Literal(text) => Ok(text.clone()),
            _ => wrong("!Equals takes texts and parameters".to_owned()),
        }
    }
}
