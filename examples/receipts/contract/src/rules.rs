//! A receipt from its text: what a person who has never seen the shop would make of it.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::{Line, Reading};

/// A piece of text, and where it is printed; fractions of the page.
#[derive(Clone, Debug)]
pub struct Printed {
    /// What it says.
    pub text: String,
    /// Where it begins.
    pub left: f32,
    /// Where its upper edge is.
    pub top: f32,
    /// How high it is.
    pub height: f32,
}

#[cfg(test)]
mod tests;

/// Slopes from -0.08 to 0.08 are tried, as parts of the page: some four degrees.
const MAX_SLOPE: u8 = 8;
const SLOPE: f32 = 0.01;
const TOTAL: [&str; 5] = ["total", "amount due", "balance due", "to pay", "sum"];
/// What looks like a line with a price, and is none.
const NO_LINE: [&str; 4] = ["subtotal", "sub-total", "sub total", "net"];
const DATES: [&str; 5] = ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d %b %Y", "%b %d, %Y"];

/// Reads a receipt.
pub fn read(printed: &[Printed]) -> Reading {
    let rows = rows(printed);
    let is = |row: &str, words: &[&str]| {
        let row = row.to_lowercase();
        words.iter().any(|word| row.starts_with(word))
    };
    let priced: Vec<_> = rows.iter().map(|row| ending_in_price(row)).collect();
    let total = (0..rows.len()).find(|&row| priced[row].is_some() && is(&rows[row], &TOTAL));
    let lines = priced.iter().take(total.unwrap_or(rows.len())).flatten();
    let lines = lines.filter(|(item, _)| !item.is_empty() && !is(item, &NO_LINE));
    Reading {
        merchant: rows.iter().find(|row| is_name(row)).cloned(),
        date: rows.iter().find_map(|row| date(row)),
        lines: lines.map(|(item, price)| Line { item: item.clone(), price: *price }).collect(),
        total: total.and_then(|row| priced[row].as_ref()).map(|(_, price)| *price),
    }
}

/// What is printed side by side, as one text: an item and its price are far apart. A picture is
/// seldom straight, so rows may rise or fall. With the right slope there are the fewest.
fn rows(printed: &[Printed]) -> Vec<String> {
    // The least slope comes first: it is the one if several have equally few.
    let slopes =
        (0..=MAX_SLOPE).flat_map(|step| [1.0, -1.0].map(|sign| sign * f32::from(step) * SLOPE));
    let turned = slopes.map(|slope| rows_along(slope, printed));
    let rows = turned.min_by_key(Vec::len).unwrap_or_default();
    let text = |mut row: Vec<&Printed>| {
        row.sort_by(|one, other| one.left.total_cmp(&other.left));
        row.into_iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    rows.into_iter().map(text).collect()
}

fn rows_along(slope: f32, printed: &[Printed]) -> Vec<Vec<&Printed>> {
    let middle = |piece: &Printed| piece.top + piece.height / 2.0 - slope * piece.left;
    let mut sorted: Vec<_> = printed.iter().collect();
    sorted.sort_by(|one, other| middle(one).total_cmp(&middle(other)));
    let mut rows: Vec<Vec<&Printed>> = Vec::new();
    for piece in sorted {
        let is_beside =
            |row: &&mut Vec<&Printed>| middle(piece) - middle(row[0]) < row[0].height / 2.0;
        match rows.last_mut().filter(is_beside) {
            Some(row) => row.push(piece),
            None => rows.push(vec![piece]),
        }
    }
    rows
}

/// The text of a row before its price, and the price. A letter for the tax may follow.
fn ending_in_price(row: &str) -> Option<(String, Decimal)> {
    let words: Vec<_> = row.split_whitespace().collect();
    let last = words.len().saturating_sub(2)..words.len();
    let (at, price) = last.rev().find_map(|at| Some((at, price(words[at])?)))?;
    // What a single one costs may stand in front.
    let is_text = |word: &&str| price_of(word).is_none() && !["€", "$", "£"].contains(word);
    let until = words[..at].iter().rposition(is_text).map_or(0, |it| it + 1);
    Some((words[..until].join(" "), price))
}

/// A price, such as `12.30`, `€12,30` or `1,012.30 USD`.
pub fn price(text: &str) -> Option<Decimal> {
    price_of(text.split_whitespace().find(|word| word.contains(|it: char| it.is_ascii_digit()))?)
}

fn price_of(word: &str) -> Option<Decimal> {
    let number = word.trim_matches(|it: char| !it.is_ascii_digit() && it != '-');
    let (whole, cents) = number.rsplit_once(['.', ','])?;
    let whole: String = whole.chars().filter(|it| !matches!(it, '.' | ',')).collect();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if cents.len() != 2 || !digits(cents) || !digits(whole.trim_start_matches('-')) {
        return None;
    }
    format!("{whole}.{cents}").parse().ok()
}

/// The first date in a text. Of two numbers in front of the year, the first is the day.
pub fn date(text: &str) -> Option<Date> {
    let words: Vec<_> = text.split_whitespace().collect();
    let windows = [1, 3].into_iter().flat_map(|length| words.windows(length));
    let mut texts = windows.map(|words| words.join(" "));
    texts.find_map(|text| DATES.iter().find_map(|format| Date::strptime(format, &text).ok()))
}

/// Whether it may be the name of the shop: mostly letters, and no price.
fn is_name(row: &str) -> bool {
    let letters = row.chars().filter(|it| it.is_alphabetic()).count();
    letters >= 3 && 2 * letters > row.chars().count() && date(row).is_none()
}
