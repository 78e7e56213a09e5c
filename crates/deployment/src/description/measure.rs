//! What a scaling policy or its alarm looks at: a metric, or metric math over some.

use std::collections::BTreeMap;

use serde::Serialize;

mod formula;

use self::formula::Formula;

/// What is looked at, once a minute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// The expression, whose names are those of `series`.
    pub expression: String,
    /// What the names stand for.
    pub series: BTreeMap<String, Series>,
    #[serde(skip)]
    formula: Formula,
}

/// A metric of the service's tasks, its load balancer or its queue, by the minute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Series {
    /// The namespace, such as `AWS/SQS`.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// How the samples of a minute become one number, such as `Sum`.
    pub statistic: String,
}

impl Series {
    /// The metric `name` of `namespace`.
    pub fn new(namespace: &str, name: &str, statistic: &str) -> Self {
        let [namespace, name, statistic] = [namespace, name, statistic].map(str::to_owned);
        Self { namespace, name, statistic }
    }
}

impl Measure {
    /// A metric as it is.
    pub fn of(series: Series) -> Self {
        let name = "metric".to_owned();
        let formula = Formula::Name(name.clone());
        Self { expression: name.clone(), series: [(name, series)].into(), formula }
    }

    /// Metric math over `series`.
    ///
    /// # Errors
    ///
    /// A sentence, if the expression is not understood, or names something else.
    pub fn parse(expression: &str, series: BTreeMap<String, Series>) -> Result<Self, String> {
        let formula = formula::parse(expression)?;
        let mut names = formula.names().into_iter();
        if let Some(unknown) = names.find(|name| !series.contains_key(*name)) {
            return Err(format!("{expression:?}: no metric has the id {unknown}"));
        }
        Ok(Self { expression: expression.to_owned(), series, formula })
    }

    /// The value in a minute in which `value` says what each metric has; `None` if it is missing.
    pub fn at(&self, value: &dyn Fn(&Series) -> Option<f64>) -> Option<f64> {
        self.formula.at(&|name| value(self.series.get(name)?))
    }
}
