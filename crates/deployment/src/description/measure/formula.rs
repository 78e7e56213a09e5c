//! Metric math: the part of CloudWatch's that the policies use, for one minute.
//!
//! Whatever is computed from a missing datapoint is missing too, unless `FILL` says what it is.

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    /// A metric, by its id.
    Name(String),
    Number(f64),
    Binary(Box<Formula>, Operator, Box<Formula>),
    Fill(Box<Formula>, f64),
    If(Box<[Formula; 3]>),
}

/// What stands between two operands. A comparison is 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Plus,
    Minus,
    Times,
    By,
    Less,
    More,
}

/// The operators by how loosely they bind.
const LEVELS: [&[(char, Operator)]; 3] = [
    &[('<', Operator::Less), ('>', Operator::More)],
    &[('+', Operator::Plus), ('-', Operator::Minus)],
    &[('*', Operator::Times), ('/', Operator::By)],
];

impl Formula {
    /// The value, with those of the metrics.
    pub fn at(&self, value: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
        match self {
            Self::Name(name) => value(name),
            Self::Number(number) => Some(*number),
            Self::Fill(formula, otherwise) => Some(formula.at(value).unwrap_or(*otherwise)),
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                if condition.at(value)? == 0.0 { otherwise.at(value) } else { then.at(value) }
            }
            Self::Binary(one, operator, other) => operator.apply(one.at(value)?, other.at(value)?),
        }
    }

    /// The ids of its metrics.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Name(name) => vec![name],
            Self::Number(_) => Vec::new(),
            Self::Fill(formula, _) => formula.names(),
            Self::If(parts) => parts.iter().flat_map(Self::names).collect(),
            Self::Binary(one, _, other) => [one.names(), other.names()].concat(),
        }
    }
}

impl Operator {
    fn apply(self, one: f64, other: f64) -> Option<f64> {
        Some(match self {
            Self::Plus => one + other,
            Self::Minus => one - other,
            Self::Times => one * other,
            Self::By if other == 0.0 => return None,
            Self::By => one / other,
            Self::Less => f64::from(u8::from(one < other)),
            Self::More => f64::from(u8::from(one > other)),
        })
    }
}

/// Reads an expression.
///
/// # Errors
///
/// A sentence, if it is not understood here.
pub fn parse(text: &str) -> Result<Formula, String> {
    let mut parser = Parser { rest: text };
    let formula = parser.level(0);
    match formula.filter(|_| parser.rest.trim().is_empty()) {
        Some(formula) => Ok(formula),
        None => Err(format!(
            "{text:?} is not understood at {:?}; known are + - * / < >, FILL and IF",
            parser.rest.trim()
        )),
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn level(&mut self, level: usize) -> Option<Formula> {
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.takes(*sign)) {
            let right = self.level(level + 1)?;
            left = Formula::Binary(Box::new(left), *operator, Box::new(right));
        }
        Some(left)
    }

    fn operand(&mut self) -> Option<Formula> {
        if self.takes('(') {
            let inner = self.level(0)?;
            return self.takes(')').then_some(inner);
        }
        let belongs = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '.';
        let text = self.rest.trim_start();
        let (word, rest) = text.split_at(text.find(|it| !belongs(it)).unwrap_or(text.len()));
        if word.is_empty() {
            return None;
        }
        self.rest = rest;
        match word {
            "FILL" => match self.arguments::<2>()? {
                [formula, Formula::Number(number)] => {
                    Some(Formula::Fill(Box::new(formula), number))
                }
                _ => None,
            },
            "IF" => Some(Formula::If(Box::new(self.arguments::<3>()?))),
            word if word.starts_with(|it: char| it.is_ascii_lowercase()) => {
                Some(Formula::Name(word.to_owned()))
            }
            word => word.parse().ok().map(Formula::Number),
        }
    }

    fn arguments<const N: usize>(&mut self) -> Option<[Formula; N]> {
        let mut arguments = Vec::new();
        let mut more = self.takes('(');
        while more {
            arguments.push(self.level(0)?);
            more = self.takes(',');
        }
        arguments.try_into().ok().filter(|_| self.takes(')'))
    }

    fn takes(&mut self, sign: char) -> bool {
        match self.rest.trim_start().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn value(text: &str) -> Option<f64> {
        let known = |name: &str| match name {
            "two" => Some(2.0),
            "nothing" => Some(0.0),
            _ => None,
        };
        parse(text).unwrap().at(&known)
    }

    #[test]
    fn metric_math_is_computed_and_what_is_missing_stays_missing() {
        let examples = [
            ("1 + two * 3", Some(7.0)),
            ("(1 + two) * 3 - 1", Some(8.0)),
            ("8 / two / 2", Some(2.0)),
            ("two / nothing", None),
            ("two / missing", None),
            ("0 * missing", None),
            ("FILL(missing, 5) + two", Some(7.0)),
            ("FILL(two, 5)", Some(2.0)),
            ("IF(two + nothing > 1, two, 9)", Some(2.0)),
            ("IF(two < 1, missing, 9)", Some(9.0)),
            ("IF(missing < 1, 1, 0)", None),
        ];
        for (text, expected) in examples {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_a_sentence() {
        for text in
            ["", "two +", "two two", "MAX(two)", "FILL(two)", "IF(two, 1)", "(two", "FILL(1, two)"]
        {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.contains("is not understood at"), "{wrong}");
        }
    }
}
