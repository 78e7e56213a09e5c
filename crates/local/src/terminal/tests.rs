//! How events look, as lines and as JSON.

use local::process::Line;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::{Event, OURSELVES, READY, Style, line, write};

const ID: &str = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";

fn event(service: &str, text: impl ToString) -> Event {
    Event::read(&Line { service: service.to_owned(), text: text.to_string() })
}

fn stored() -> Event {
    event(
        "publisher",
        json!({
            "timestamp": "2026-11-25T21:55:54.123456Z",
            "level": "INFO",
            "message": "order stored",
            "amount": "120.00",
            "order.id": ID,
            "trace_id": "3b74e1bb3ed2d11dee7136fc3a3dc11f",
        }),
    )
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn printed(event: Event, style: Style) -> String {
    let mut output = Vec::new();
    write(&mut output, event, style, None).unwrap();
    plain(&String::from_utf8(output).unwrap())
}

#[test]
fn a_line_has_time_service_message_and_order_and_then_the_other_facts() {
    let line = plain(&line::text(&stored(), None));
    let (time, rest) = line.split_once("  ").unwrap();
    // Hours and minutes depend on the time zone of this machine.
    assert_eq!((time.len(), &time[5..]), (12, ":54.123"));
    let facts = "amount=120.00 trace_id=3b74e1bb3ed2d11dee7136fc3a3dc11f";
    assert_eq!(rest, format!("publisher   order stored {ID} {facts}\n"));
}

#[test]
fn a_line_is_cut_at_the_width_of_the_terminal() {
    for columns in [40, 80] {
        let line = plain(&line::text(&stored(), Some(columns)));
        assert_eq!(line.trim_end().width(), columns, "{line}");
        assert!(line.ends_with("…\n"));
    }
    // Eighty columns are enough for the order's id, whatever the message is.
    assert!(line::text(&stored(), Some(80)).contains(ID));
    let long = json!({ "message": "fulfilling the order of\n", "order.id": ID });
    let line = plain(&line::text(&event("fulfilment", long), Some(80)));
    assert!(line.contains(&format!("fulfilling the … {ID}")), "{line}");
    let wide = event("publisher", json!({ "message": "注文".repeat(40) }));
    assert!(plain(&line::text(&wide, Some(40))).trim_end().width() <= 40);
}

#[test]
fn an_event_of_several_lines_is_one_block_with_one_time_and_one_order() {
    let banner = json!({ "message": "fulfilling the order of\n  /\\ \n\n /_/\n", "order.id": ID });
    let text = plain(&line::text(&event("fulfilment", banner), None));
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].ends_with(&format!("fulfilling the order of {ID}")), "{text}");
    let indent = " ".repeat(26);
    assert_eq!(lines[1..], [format!("{indent}  /\\"), format!("{indent} /_/")]);
}

#[test]
fn a_service_has_the_same_colour_always_and_the_sample_has_no_two_alike() {
    let names = ["publisher", "fulfilment", "promotion", "invoice"];
    let colour = |name: &str| {
        let line = line::text(&event(name, "hello"), None);
        line.split("  ").nth(1).unwrap().split(name).next().unwrap().to_owned()
    };
    let mut colours: Vec<_> = names.iter().map(|name| colour(name)).collect();
    assert_eq!(colour("publisher"), colours[0]);
    colours.sort();
    colours.dedup();
    assert_eq!(colours.len(), names.len(), "{colours:?}");
}

#[test]
fn a_line_that_is_not_json_is_shown_as_it_is_without_control_characters() {
    let line = plain(&line::text(&event("promotion", "thread panicked\u{1b}[2J at {"), None));
    assert!(line.ends_with("thread panicked\\u{1b}[2J at {\n"), "{line}");
}

#[test]
fn quiet_leaves_warnings_errors_and_what_this_program_says() {
    let quiet = Style::Text { quiet: true };
    let of = |level: &str| event("promotion", json!({ "level": level, "message": "hello" }));
    assert_eq!(printed(of("INFO"), quiet), "");
    assert!(printed(of("WARN"), quiet).contains("WARN hello"));
    assert!(printed(of("ERROR"), quiet).contains("ERROR hello"));
    let ours = event(OURSELVES, json!({ "message": "promotion exited" }));
    assert!(printed(ours, quiet).contains("promotion exited"));
}

#[test]
fn json_keeps_the_facts_and_names_the_service() {
    let line = printed(stored(), Style::Json);
    let read: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["service"], "publisher");
    assert_eq!(read["timestamp"], "2026-11-25T21:55:54.123456Z");
    assert_eq!((&read["level"], &read["message"]), (&json!("INFO"), &json!("order stored")));
    assert_eq!((&read["order.id"], &read["amount"]), (&json!(ID), &json!("120.00")));
    let other = printed(event("promotion", "a panic"), Style::Json);
    assert_eq!(serde_json::from_str::<Value>(&other).unwrap()["message"], "a panic");
}

#[test]
fn the_screen_says_what_runs_where_to_look_and_what_to_try() {
    let ready = json!({
        "message": READY,
        "application": "pubsub",
        "takes_orders": true,
        "page": "http://localhost:5000",
        "aws": "http://127.0.0.1:4566",
        "is_embedded": true,
        "services": ["publisher", "promotion"],
        "without": ["fulfilment"],
        "watches": true,
        "command": "cargo run -p local -- ",
    });
    let screen = printed(event(OURSELVES, &ready), Style::Text { quiet: true });
    for part in [
        "page      http://localhost:5000\n",
        "http://localhost:5000/flow",
        "http://127.0.0.1:4566",
        "publisher, promotion",
        "without   fulfilment",
        "cargo run -p local -- orders",
        "deletes all data",
    ] {
        assert!(screen.contains(part), "{screen} lacks {part}");
    }
    assert!(screen.lines().count() <= 20 && screen.lines().all(|line| line.width() <= 80));
    let json: Value =
        serde_json::from_str(&printed(event(OURSELVES, &ready), Style::Json)).unwrap();
    assert_eq!((&json["page"], &json["service"]), (&ready["page"], &json!(OURSELVES)));
}
