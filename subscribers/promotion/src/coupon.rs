//! The code that a person reads aloud to use a coupon.

use rand::RngExt as _;

/// No 0 and O, no 1 and I: over a telephone they are the same.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const GROUPS: usize = 3;
const GROUP_CHARS: usize = 4;

/// Three groups of four letters and digits, `K7QD-2MXA-9TRW`, that nobody can guess: 60 bits from a
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
