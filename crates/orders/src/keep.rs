//! How long orders and what belongs to them are kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The attribute that DynamoDB expires items by.
pub const EXPIRES_AT: &str = "expires_at";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long something is kept; the default is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep(Option<Duration>);

impl Keep {
    /// This many days; 0 is for ever.
    pub fn days(days: u32) -> Self {
        Self((days > 0).then(|| DAY * days))
    }

    /// When something of now expires, in seconds since 1970, as DynamoDB wants it; `None` if never.
    pub fn expires_at(self) -> Option<String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.map(|keep| (since + keep).as_secs().to_string())
    }

    /// Whether something of `time` has expired.
    pub fn is_over(self, time: SystemTime) -> bool {
        self.0.is_some_and(|keep| time.elapsed().is_ok_and(|age| age >= keep))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_expires_after_as_many_days_and_without_days_never() {
        let ago = |age: Duration| SystemTime::now() - age;
        assert!(Keep::days(90).is_over(ago(DAY * 90)));
        assert!(!Keep::days(90).is_over(ago(DAY * 89)));
        assert!(!Keep::days(90).is_over(SystemTime::now() + DAY), "a clock that is behind");
        assert!(!Keep::days(0).is_over(UNIX_EPOCH));
        assert_eq!(Keep::days(0).expires_at(), None);
        let at: u64 = Keep::days(1).expires_at().unwrap().parse().unwrap();
        let expected = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + DAY;
        assert!((expected.as_secs() - 60..=expected.as_secs()).contains(&at), "{at}");
    }
}
