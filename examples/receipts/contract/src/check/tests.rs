use crate::Line;

use super::*;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

const TODAY: Date = Date::constant(2026, 11, 26);

fn good() -> Reading {
    let line = |item: &str, price| Line { item: item.to_owned(), price };
    Reading {
        merchant: Some("CORNER SHOP".to_owned()),
        date: Some(Date::constant(2026, 11, 24)),
        lines: vec![line("Milk", dec("1.20")), line("Bread", dec("3.00"))],
        total: Some(dec("4.20")),
    }
}

fn check(reading: Reading, reason: &str) {
    match verdict(reading.clone(), TODAY) {
        Verdict::Rejected(why) => assert!(why.starts_with(reason), "{why}"),
        other => panic!("{reading:?}: {other:?}"),
    }
}

#[test]
fn a_receipt_whose_lines_are_the_total_is_accepted() {
    let Reading { merchant, date, lines, total } = good();
    let (merchant, date, total) = (merchant.unwrap(), date.unwrap(), total.unwrap());
    let purchase = Purchase { merchant, date, lines, total };
    assert_eq!(verdict(good(), TODAY), Verdict::Accepted(purchase));
}

#[test]
fn every_other_is_rejected_with_a_reason() {
    check(Reading { total: None, ..good() }, "No total was found.");
    check(Reading { total: Some(dec("0.00")), ..good() }, "No total was found.");
    check(Reading { merchant: None, ..good() }, "The shop's name was not found.");
    check(Reading { date: None, ..good() }, "No date was found.");
    let date = |year, month, day| Some(Date::constant(year, month, day));
    check(
        Reading { date: date(2026, 11, 28), ..good() },
        "Its date, 2026-11-28, is in the future.",
    );
    check(Reading { date: date(2026, 8, 27), ..good() }, "It is of 2026-08-27. Receipts are");
    let reason = "The total says 4.21, and the 2 lines that were found add up to 4.20.";
    check(Reading { total: Some(dec("4.21")), ..good() }, reason);
    check(Reading { lines: Vec::new(), ..good() }, "The total says 4.20, and the 0 lines");
}

#[test]
fn the_limits_of_the_date_are_those_days() {
    for date in [Date::constant(2026, 11, 27), Date::constant(2026, 8, 28)] {
        let reading = Reading { date: Some(date), ..good() };
        assert!(matches!(verdict(reading, TODAY), Verdict::Accepted(_)), "{date}");
    }
}
