use super::*;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Text in rows, each piece at its column.
fn printed(slope: f32, rows: &[&[(f32, &str)]]) -> Vec<Printed> {
    let numbered = rows.iter().zip(0_u8..);
    let pieces = numbered.flat_map(|(row, number)| {
        row.iter().map(move |(left, text)| Printed {
            text: (*text).to_owned(),
            left: *left,
            top: f32::from(number) * 0.04 + left * slope,
            height: 0.03,
        })
    });
    pieces.collect()
}

#[test]
fn a_receipt_is_read_from_text_in_columns_although_it_is_not_straight() {
    for slope in [0.0, 0.01, -0.01, 0.02, -0.02, 0.03, -0.03] {
        let reading = read(&printed(
            slope,
            &[
                &[(0.3, "CORNER SHOP")],
                &[(0.3, "12 High Street")],
                &[(0.1, "Date: 2026-11-24"), (0.8, "17:45")],
                &[(0.8, "1.20"), (0.1, "Milk")],
                &[(0.1, "2 x Bread 1.50"), (0.8, "3.00 A")],
                &[(0.1, "Subtotal"), (0.8, "4.20")],
                &[(0.1, "Tax 10 %"), (0.8, "0.42")],
                &[(0.1, "TOTAL EUR"), (0.8, "4,62")],
                &[(0.1, "Cash"), (0.8, "5.00")],
                &[(0.1, "Thank you!")],
            ],
        ));
        assert_eq!(reading.merchant.as_deref(), Some("CORNER SHOP"), "{slope}");
        assert_eq!(reading.date, Some(Date::constant(2026, 11, 24)), "{slope}");
        assert_eq!(reading.total, Some(dec("4.62")), "{slope}");
        let lines: Vec<_> = reading.lines.iter().map(|it| (it.item.as_str(), it.price)).collect();
        let expected =
            [("Milk", dec("1.20")), ("2 x Bread", dec("3.00")), ("Tax 10 %", dec("0.42"))];
        assert_eq!(lines, expected, "{slope}");
    }
}

#[test]
fn what_is_no_receipt_has_nothing() {
    assert_eq!(read(&[]), Reading::default());
    let letter = read(&printed(0.0, &[&[(0.1, "Dear Ada,")], &[(0.1, "how are you?")]]));
    assert_eq!((letter.total, letter.lines.len(), letter.date), (None, 0, None));
}

#[test]
fn prices_have_two_decimals_and_perhaps_a_currency() {
    for (text, expected) in [
        ("12.30", Some(dec("12.30"))),
        ("€12,30", Some(dec("12.30"))),
        ("1,012.30 USD", Some(dec("1012.30"))),
        ("1.012,30", Some(dec("1012.30"))),
        ("-0.50", Some(dec("-0.50"))),
        ("12", None),
        ("12.345", None),
        ("1.2.3", None),
        ("", None),
    ] {
        assert_eq!(price(text), expected, "{text:?}");
    }
}

#[test]
fn dates_are_found_in_the_usual_forms() {
    let expected = Some(Date::constant(2026, 11, 5));
    for text in ["2026-11-05", "05.11.2026 17:45", "on 05/11/2026", "5 Nov 2026", "Nov 5, 2026"] {
        assert_eq!(date(text), expected, "{text}");
    }
    assert_eq!(date("2026-13-45"), None);
    assert_eq!(date("Tel. 030 123 456"), None);
}
