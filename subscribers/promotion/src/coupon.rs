//! A coupon, whose code can be read aloud.

use orders::report::Attachment;
use rand::RngExt as _;

/// Without 0, O, 1 and I, which are easily confused.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const GROUPS: usize = 3;
const GROUP_CHARS: usize = 4;

/// A discount on the next order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// The code that the customer enters.
    pub code: String,
    /// The discount, in percent.
    pub percent: u32,
}

impl Coupon {
    /// The coupon as an attachment to a report.
    pub fn attachment(&self) -> Attachment {
        Attachment {
            label: format!("{} % off your next order", self.percent),
            code: Some(self.code.clone()),
            link: None,
        }
    }
}

/// A code such as `K7QD-2MXA-9TRW`. It has 60 random bits from a cryptographic generator, so that
/// it cannot be guessed.
pub fn random_code() -> String {
    let mut random = rand::rng();
    let mut letter = || char::from(ALPHABET[random.random_range(0..ALPHABET.len())]);
    let groups: [String; GROUPS] =
        std::array::from_fn(|_| (0..GROUP_CHARS).map(|_| letter()).collect());
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_have_no_ambiguous_letters() {
        let codes: HashSet<String> = (0..1_000).map(|_| random_code()).collect();
        assert_eq!(codes.len(), 1_000);
        for code in codes {
            assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4], "{code}");
            assert!(!code.contains(['0', 'O', '1', 'I']), "{code}");
        }
    }
}
