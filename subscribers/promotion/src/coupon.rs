//! A coupon, and the code that a person reads aloud to use it.

use std::fmt;

use rand::RngExt as _;

/// What a promoted order earns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// What the customer types to use it.
    pub code: CouponCode,
    /// How much of the next order it takes off, in percent.
    pub percent: u32,
}

impl Coupon {
    /// How much a new coupon takes off, in percent.
    pub const PERCENT: u32 = 20;
}

/// Three groups of four letters and digits: `K7QD-2MXA-9TRW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouponCode(String);

impl CouponCode {
    /// No 0 and O, no 1 and I: over a telephone they are the same.
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    const GROUPS: usize = 3;
    const GROUP_CHARS: usize = 4;

    /// A code that nobody can guess: 60 bits from a cryptographic generator that the operating
    /// system seeds.
    pub fn random() -> Self {
        let mut random = rand::rng();
        let mut letter =
            || char::from(Self::ALPHABET[random.random_range(0..Self::ALPHABET.len())]);
        let groups: [String; Self::GROUPS] =
            std::array::from_fn(|_| (0..Self::GROUP_CHARS).map(|_| letter()).collect());
        Self(groups.join("-"))
    }

    /// A code as it was stored.
    pub fn from_stored(code: String) -> Self {
        Self(code)
    }
}

impl fmt::Display for CouponCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_code_can_be_read_aloud_and_is_never_the_same() {
        let codes: HashSet<String> = (0..1_000).map(|_| CouponCode::random().to_string()).collect();
        assert_eq!(codes.len(), 1_000);
        for code in codes {
            assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4], "{code}");
            assert!(!code.contains(['0', 'O', '1', 'I']), "{code}");
        }
    }
}
