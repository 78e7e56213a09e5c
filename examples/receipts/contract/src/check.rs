//! Whether a receipt is accepted.

use jiff::{ToSpan as _, civil::Date};
use rust_decimal::Decimal;

use crate::{Purchase, Reading, Verdict};

#[cfg(test)]
mod tests;

/// How old a receipt may be, in days.
const MAX_AGE: i64 = 90;

const AGAIN: &str = "Take the picture again, flat and in good light.";

/// The verdict on what was read, as of `today`.
pub fn verdict(reading: Reading, today: Date) -> Verdict {
    match purchase(reading, today) {
        Ok(purchase) => Verdict::Accepted(purchase),
        Err(why) => Verdict::Rejected(why),
    }
}

/// The purchase, or what is wrong with it, as a sentence for the person who sent it.
fn purchase(reading: Reading, today: Date) -> Result<Purchase, String> {
    let total = reading.total.filter(|total| *total > Decimal::ZERO);
    let total = total.ok_or_else(|| format!("No total was found. {AGAIN}"))?;
    let merchant = reading.merchant;
    let merchant = merchant.ok_or_else(|| format!("The shop's name was not found. {AGAIN}"))?;
    let date = reading.date.ok_or_else(|| format!("No date was found. {AGAIN}"))?;
    // Where it was bought it may be tomorrow already.
    if date > today.saturating_add(1.day()) {
        return Err(format!("Its date, {date}, is in the future."));
    }
    if date < today.saturating_sub(MAX_AGE.days()) {
        return Err(format!("It is of {date}. Receipts are accepted for {MAX_AGE} days."));
    }
    let lines = reading.lines;
    let sum: Decimal = lines.iter().map(|line| line.price).sum();
    if sum != total {
        let count = lines.len();
        return Err(format!(
            "The total says {total}, and the {count} lines that were found add up to {sum}. {AGAIN}"
        ));
    }
    Ok(Purchase { merchant, date, lines, total })
}
