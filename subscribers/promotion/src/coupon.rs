//! A coupon, with a code that a person can read aloud.

use orders::report::Attachment;
use rand::RngExt as _;

/// Without 0 and O, 1 and I, which are hard to tell apart on the telephone.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const GROUPS: usize = 3;
const GROUP_CHARS: usize = 4;

/// What an order earns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// What the customer types to use it.
    pub code: String,
    /// How much of the next order it takes off, in percent.
    pub percent: u32,
}

impl Coupon {
    /// The coupon as the order's page shows it.
    pub fn attachment(&self) -> Attachment {
        Attachment {
            label: format!("{} % off your next order", self.percent),
            code: Some(self.code.clone()),
            link: None,
        }
    }
}

/// Three groups of four letters and digits, such as `K7QD-2MXA-9TRW`: 60 unguessable bits from a
/// cryptographic generator that the operating system seeds.
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
    fn a_code_can_be_read_aloud_and_is_never_the_same() {
        let codes: HashSet<String> = (0..1_000).map(|_| random_code()).collect();
        assert_eq!(codes.len(), 1_000);
        for code in codes {
            assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4], "{code}");
            assert!(!code.contains(['0', 'O', '1', 'I']), "{code}");
        }
    }
}
