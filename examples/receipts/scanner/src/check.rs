//! Whether a receipt is accepted.

use jiff::{ToSpan as _, civil::Date};
use receipts::{Reading, Verdict};
use rust_decimal::Decimal;

#[cfg(test)]
mod tests;

/// How old a receipt may be, in days.
const MAX_AGE: i64 = 90;

/// The verdict on what was read, as of `today`.
pub fn verdict(reading: Reading, today: Date) -> Verdict {
    match objection(&reading, today) {
        Some(why) => Verdict::Rejected(why),
        None => Verdict::Accepted(reading),
    }
}

/// What is wrong with it, as a sentence for the person who sent it.
fn objection(reading: &Reading, today: Date) -> Option<String> {
    let again = "Take the picture again, flat and in good light.";
    let Some(total) = reading.total.filter(|total| *total > Decimal::ZERO) else {
        return Some(format!("No total was found. {again}"));
    };
    if reading.merchant.is_none() {
        return Some(format!("The name of the shop was not found. {again}"));
    }
    let Some(date) = reading.date else {
        return Some(format!("No date was found. {again}"));
    };
    // Where it was bought it may be tomorrow already.
    if date > today.saturating_add(1.day()) {
        return Some(format!("Its date, {date}, is in the future."));
    }
    if date < today.saturating_sub(MAX_AGE.days()) {
        return Some(format!("It is of {date}. Receipts are accepted for {MAX_AGE} days."));
    }
    let sum: Decimal = reading.lines.iter().map(|line| line.price).sum();
    if sum != total {
        let lines = reading.lines.len();
        return Some(format!(
            "The total says {total}, and the {lines} lines that were found add up to {sum}. {again}"
        ));
    }
    None
}
