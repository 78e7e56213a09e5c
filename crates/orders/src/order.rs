//! An order, made of validated types: an [`Order`] needs no further checks.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::visible::{disturbs, is_visible};

/// The namespace of this system's derived ids: a UUID that was drawn once.
const NAMESPACE: Uuid = Uuid::from_u128(0x2f5c_1b52_6a0e_4c0b_9d3a_71f0_8e64_c2d9);

/// What a customer ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Order {
    /// Identifies the order everywhere, so that sending it twice is harmless.
    pub id: OrderId,
    /// Who ordered.
    pub customer: CustomerName,
    /// The order's total.
    pub amount: Amount,
}

/// The id of an order: a UUID.
///
/// The publisher makes version 7, so that ids sort by time.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("format" = "uuid"))]
pub struct OrderId(Uuid);

impl OrderId {
    /// A new id, which sorts after every id made before.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// A number from 0 to below `shards`: the same for the same id, evenly spread over many ids.
    pub fn shard(self, shards: u32) -> u32 {
        // The end of an id is random, whatever its version.
        let end = self.0.as_u128() % u128::from(shards);
        u32::try_from(end).expect("a remainder is less than its divisor")
    }

    /// The id that is derived from a text: always the same for the same text.
    pub fn derived(text: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, text.as_bytes()))
    }
}

impl Default for OrderId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = InvalidOrderId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidOrderId)
    }
}

/// Why a text is not an [`OrderId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("An order id is a UUID, like 0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f.")]
pub struct InvalidOrderId;

/// Who ordered: 1 to 100 characters, none of them a control character, no space at the ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("minLength" = 1, "maxLength" = Self::MAX_CHARS))]
pub struct CustomerName(String);

impl CustomerName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 100;

    /// The name that somebody typed. It also has to be visible: in a list of orders it is a link.
    ///
    /// `FromStr` is for names that were accepted, perhaps by an earlier release.
    ///
    /// # Errors
    ///
    /// [`InvalidCustomerName`]
    pub fn typed(text: &str) -> Result<Self, InvalidCustomerName> {
        let name: Self = text.parse()?;
        if name.0.chars().any(disturbs) {
            Err(InvalidCustomerName::ControlCharacter)
        } else if name.0.chars().any(is_visible) {
            Ok(name)
        } else {
            Err(InvalidCustomerName::Empty)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A message group for the customer: the same text for the same name, which does not reveal it.
    pub fn group(&self) -> String {
        Uuid::new_v5(&NAMESPACE, self.0.as_bytes()).to_string()
    }
}

impl fmt::Display for CustomerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for CustomerName {
    type Err = InvalidCustomerName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim();
        if name.is_empty() {
            Err(InvalidCustomerName::Empty)
        } else if name.chars().count() > Self::MAX_CHARS {
            Err(InvalidCustomerName::TooLong)
        } else if name.chars().any(cannot_be_sent) {
            Err(InvalidCustomerName::ControlCharacter)
        } else {
            Ok(Self(name.to_owned()))
        }
    }
}

/// A control character, or one of the two that SQS refuses in a message: the order could never be
/// announced.
fn cannot_be_sent(character: char) -> bool {
    character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// Why a text is not a [`CustomerName`], as a sentence for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidCustomerName {
    /// Only white space.
    #[error("Enter the customer's name.")]
    Empty,
    /// More than [`CustomerName::MAX_CHARS`] characters.
    #[error("A name has at most {} characters.", CustomerName::MAX_CHARS)]
    TooLong,
    /// A line break, a tab, an escape and the like.
    #[error("A name has no line breaks or other control characters.")]
    ControlCharacter,
}

/// An order's total: above 0, below 1,000,000,000, with at most two decimals.
///
/// The upper bound is that of a number in an SNS filter policy. It is written with two decimals,
/// such as `80.00`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = r"^[0-9]{1,9}\.[0-9]{2}$"))]
pub struct Amount(Decimal);

impl Amount {
    /// The first total that is too large.
    const LIMIT: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
    const MAX_DECIMALS: usize = 2;

    /// A total of whole cents; `None` for 0, or for a billion or more.
    pub fn from_cents(cents: u64) -> Option<Self> {
        let amount = Decimal::new(i64::try_from(cents).ok()?, 2);
        (amount > Decimal::ZERO && amount < Self::LIMIT).then_some(Self(amount))
    }

    /// The total as an exact decimal.
    pub fn to_decimal(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0)
    }
}

impl FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // `Decimal` also accepts signs, underscores and a missing digit; a total has none of these.
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if text.is_empty() {
            return Err(InvalidAmount::Empty);
        }
        if !digits(whole) || !digits(decimals) {
            return Err(InvalidAmount::NotADecimal);
        }
        if decimals.len() > Self::MAX_DECIMALS {
            return Err(InvalidAmount::TooManyDecimals);
        }
        // The only error left is a number too large for `Decimal`, and so for the limit.
        let amount = Decimal::from_str(text).map_err(|_| InvalidAmount::TooLarge)?;
        if amount.is_zero() {
            Err(InvalidAmount::NotPositive)
        } else if amount >= Self::LIMIT {
            Err(InvalidAmount::TooLarge)
        } else {
            Ok(Self(amount))
        }
    }
}

/// Why a text is not an [`Amount`], as a sentence for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidAmount {
    /// Only white space.
    #[error("Enter the order's total.")]
    Empty,
    /// Something other than digits and one decimal point.
    #[error("A total is a number such as 80 or 79.99.")]
    NotADecimal,
    /// Fractions of a cent.
    #[error("A total has at most two decimals.")]
    TooManyDecimals,
    /// Zero.
    #[error("A total is more than 0.")]
    NotPositive,
    /// A billion or more.
    #[error("A total is less than 1,000,000,000.")]
    TooLarge,
}

/// Makes serde use `FromStr` and `Display`, so that each type has one parser.
macro_rules! serde_as_text {
    ($($type:ty, $error:ty;)*) => {$(
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}

serde_as_text! {
    OrderId, InvalidOrderId;
    CustomerName, InvalidCustomerName;
    Amount, InvalidAmount;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_amount(typed: &str, expected: Result<&str, InvalidAmount>) {
        let parsed = typed.parse::<Amount>().map(|amount| amount.to_string());
        assert_eq!(parsed, expected.map(str::to_owned), "typed {typed:?}");
    }

    #[test]
    fn a_total_is_an_exact_decimal_with_at_most_two_decimals() {
        check_amount("80", Ok("80.00"));
        check_amount(" 79.99 ", Ok("79.99"));
        check_amount("0.1", Ok("0.10"));
        check_amount("0080.5", Ok("80.50"));
        check_amount("999999999.99", Ok("999999999.99"));
        check_amount("", Err(InvalidAmount::Empty));
        check_amount("0", Err(InvalidAmount::NotPositive));
        check_amount("0.00", Err(InvalidAmount::NotPositive));
        check_amount("0.001", Err(InvalidAmount::TooManyDecimals));
        check_amount("1000000000", Err(InvalidAmount::TooLarge));
        check_amount(&"9".repeat(400), Err(InvalidAmount::TooLarge));
        for typed in
            ["-5", "+5", "1e3", "NaN", "inf", "1_000", "1,5", ".5", "5.", "8 0", "٨٠", "0x10"]
        {
            check_amount(typed, Err(InvalidAmount::NotADecimal));
        }
    }

    #[test]
    fn a_total_of_cents_has_the_limits_of_a_typed_one() {
        for (cents, expected) in [
            (0, None),
            (1, Some("0.01")),
            (8_000, Some("80.00")),
            (99_999_999_999, Some("999999999.99")),
            (100_000_000_000, None),
            (u64::MAX, None),
        ] {
            let total = Amount::from_cents(cents);
            assert_eq!(total.map(|it| it.to_string()).as_deref(), expected, "{cents} cents");
            assert_eq!(total, expected.map(|typed| typed.parse().unwrap()), "{cents} cents");
        }
    }

    #[test]
    fn a_total_is_compared_as_the_number_that_was_typed() {
        let amount: Amount = "79.99".parse().unwrap();
        assert_eq!(amount.to_decimal(), Decimal::new(7_999, 2));
        assert!(amount < "80".parse().unwrap());
    }

    fn check_name(typed: &str, expected: Result<&str, InvalidCustomerName>) {
        let parsed = typed.parse::<CustomerName>();
        let shown = parsed.clone().map(|name| name.to_string());
        assert_eq!(shown, expected.map(str::to_owned), "typed {typed:?}");
        let text = parsed.as_ref().map(CustomerName::as_str).map_err(|error| *error);
        assert_eq!(text, expected, "typed {typed:?}");
    }

    #[test]
    fn a_name_is_1_to_100_characters_without_control_characters() {
        check_name("  Ada Lovelace ", Ok("Ada Lovelace"));
        check_name(&"é".repeat(100), Ok(&"é".repeat(100)));
        check_name(" \u{3000} ", Err(InvalidCustomerName::Empty));
        check_name(&"x".repeat(101), Err(InvalidCustomerName::TooLong));
        check_name("Ada\u{0}", Err(InvalidCustomerName::ControlCharacter));
        check_name("Ada\nLovelace", Err(InvalidCustomerName::ControlCharacter));
        check_name("\u{1b}[31mAda", Err(InvalidCustomerName::ControlCharacter));
    }

    #[test]
    fn a_name_that_is_typed_can_be_seen_and_stays_in_its_line() {
        for name in ["Ada", "x", "李小龙", "عمر\u{200c}ها", "👩\u{200d}🚀", "❤\u{fe0f}", "\u{301}"]
        {
            assert_eq!(CustomerName::typed(name).map(|it| it.to_string()).as_deref(), Ok(name));
        }
        for invisible in [
            " ",
            "\u{200b}",
            "\u{200b}\u{200d}\u{2060}\u{feff}",
            "\u{ad} \u{34f}",
            "\u{115f}\u{1160}\u{3164}\u{ffa0}",
            "\u{2800}",
            "\u{fe0f}\u{e0001}\u{e0100}",
        ] {
            let typed = CustomerName::typed(invisible);
            assert_eq!(typed, Err(InvalidCustomerName::Empty), "{invisible:?}");
        }
        for disturbing in
            ["Ada\u{2028}Bob", "Ada\u{2029}Bob", "\u{202e}adA", "\u{2066}Ada", "Ada\n B"]
        {
            let typed = CustomerName::typed(disturbing);
            assert_eq!(typed, Err(InvalidCustomerName::ControlCharacter), "{disturbing:?}");
        }
        // An earlier release accepted them, so they can be read.
        for stored in ["\u{200b}", "Ada\u{2028}Bob"] {
            check_name(stored, Ok(stored));
        }
    }

    #[test]
    fn a_customer_has_one_message_group_that_does_not_reveal_the_name() {
        let group = |name: &str| name.parse::<CustomerName>().unwrap().group();
        assert_eq!(group("Ada Lovelace"), group("Ada Lovelace"));
        assert_ne!(group("Ada Lovelace"), group("Ada King"));
        assert!(!group("Ada").contains("Ada"));
        // What SQS accepts as a group.
        let longest = group(&"\u{4e2d}".repeat(CustomerName::MAX_CHARS));
        assert!((1..=128).contains(&longest.len()), "{longest}");
        assert!(longest.bytes().all(|byte| byte.is_ascii_graphic()), "{longest}");
    }

    #[test]
    fn orders_are_spread_evenly_over_the_shards() {
        const IDS: u32 = 4_000;
        let mut shards = [0_u32; 4];
        for id in (0..IDS).map(|_| OrderId::new()) {
            let shard = id.shard(4);
            assert_eq!(shard, id.to_string().parse::<OrderId>().unwrap().shard(4));
            shards[shard as usize] += 1;
        }
        let fair = IDS / 4;
        let (few, many) = (fair * 8 / 10, fair * 12 / 10);
        assert!(shards.iter().all(|count| (few..many).contains(count)), "{shards:?}");
    }
}
