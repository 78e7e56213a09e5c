//! Metric math of CloudWatch, as far as our alarms use it: numbers, metrics by their ids, `FILL`
//! with a number, the four operations and parentheses.

use std::iter::Peekable;

/// The value of `expression`; `None` if it has none, as of a metric that is missing, or zero
/// divided by zero.
pub fn value(expression: &str, metric: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let tokens = tokens(expression);
    let mut reader = Reader { tokens: tokens.into_iter().peekable(), metric };
    let value = reader.sum();
    assert_eq!(reader.tokens.next(), None, "{expression} is not understood here");
    value.filter(|it| it.is_finite())
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::<String>::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '.' || c == '_';
    for c in text.chars() {
        match tokens.last_mut() {
            Some(last) if is_word(c) && last.chars().all(is_word) => last.push(c),
            _ => tokens.push(c.to_string()),
        }
    }
    tokens.retain(|it| !it.trim().is_empty());
    tokens
}

struct Reader<'a> {
    tokens: Peekable<std::vec::IntoIter<String>>,
    metric: &'a dyn Fn(&str) -> Option<f64>,
}

impl Reader<'_> {
    fn takes(&mut self, token: &str) -> bool {
        self.tokens.next_if(|it| it == token).is_some()
    }

    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product();
        loop {
            let (add, subtract) = (self.takes("+"), self.takes("-"));
            if !add && !subtract {
                return value;
            }
            let other = self.product();
            value =
                value.zip(other).map(|(one, other)| if add { one + other } else { one - other });
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.part();
        loop {
            let (multiply, divide) = (self.takes("*"), self.takes("/"));
            if !multiply && !divide {
                return value;
            }
            let other = self.part();
            let applied = |(one, other)| if multiply { one * other } else { one / other };
            value = value.zip(other).map(applied);
        }
    }

    fn part(&mut self) -> Option<f64> {
        let token = self.tokens.next().expect("it ends too early");
        match token.as_str() {
            "(" => {
                let value = self.sum();
                assert!(self.takes(")"));
                value
            }
            "FILL" => {
                assert!(self.takes("("));
                let value = self.sum();
                assert!(self.takes(","));
                let other = self.sum();
                assert!(self.takes(")"));
                value.or(other)
            }
            _ => token.parse().ok().or_else(|| (self.metric)(&token)),
        }
    }
}

#[test]
fn shares_are_computed_and_nothing_of_nothing_is_missing() {
    let share =
        "100 * (FILL(tasks, 0) + FILL(balancer, 0)) / (FILL(requests, 0) + FILL(balancer, 0))";
    let of = |tasks: Option<f64>, balancer, requests| {
        value(share, &move |id| match id {
            "tasks" => tasks,
            "balancer" => balancer,
            "requests" => requests,
            other => panic!("{other}"),
        })
    };
    assert_eq!(of(Some(1.0), None, Some(20.0)), Some(5.0));
    assert_eq!(of(None, Some(3.0), None), Some(100.0));
    assert_eq!(of(None, None, None), None);
}
