//! The result of a cell, and the promises that it has to keep.

use serde::Serialize;

/// What a cell measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The cell, such as `coupons-table/throttled`.
    pub cell: String,
    /// Orders that were accepted.
    pub accepted: usize,
    /// Orders that got another answer, or none. They are not sent again.
    pub refused: usize,
    /// Refused orders that were stored all the same, and so count as accepted in what follows.
    pub refused_but_stored: usize,
    /// Accepted orders that were fulfilled and are shown so.
    pub fulfilled: usize,
    /// Coupons, and how many there have to be.
    pub coupons: usize,
    /// Orders of enough to earn a coupon.
    pub coupons_earned: usize,
    /// Orders that were announced more than once.
    pub announced_again: usize,
    /// Messages in dead-letter queues at the end. Nothing redrives them.
    pub dead_letters: usize,
    /// From the end of the outage until every order sent before it is done, in seconds; `None` if
    /// that was not seen.
    pub caught_up_after_s: Option<f64>,
    /// Requests to AWS for each accepted order, and those that the outage caused.
    pub requests_per_order: f64,
    /// The same, less those of the cell with fair weather.
    pub extra_requests_per_order: Option<f64>,
    /// Calls and connections that the outage met.
    pub met: u64,
    /// The most memory that a process of a service used, in MB.
    pub memory_mb: Option<f64>,
    /// The longest time that the publisher took to answer `/ping`, in milliseconds.
    pub worst_ping_ms: f64,
    /// How often the breaker of a service opened.
    pub breaker_opened: usize,
    /// A sentence for each promise that was broken.
    pub broken: Vec<String>,
}

impl Row {
    /// The head of the table.
    pub fn head() -> String {
        let cells = [
            "accepted",
            "refused",
            "stored",
            "filled",
            "coupons",
            "again",
            "dead",
            "caught up",
            "calls",
            "MB",
            "/ping",
        ];
        columns("cell", cells.map(str::to_owned), "")
    }

    /// The name of its files.
    pub fn file(&self) -> String {
        self.cell.replace(['/', ' '], "-")
    }

    /// A line when the cell is finished, and one for each promise that it broke.
    pub fn summary(&self) -> String {
        let mut text = match self.caught_up_after_s {
            Some(late) => format!("{}: caught up after {late:.1} s", self.cell),
            None => format!("{}: not caught up", self.cell),
        };
        text += if self.broken.is_empty() { ", ok" } else { ", BROKEN" };
        for sentence in &self.broken {
            text += &format!("\n  {sentence}");
        }
        text
    }

    /// The row of the table.
    pub fn line(&self) -> String {
        let caught_up =
            self.caught_up_after_s.map_or("never".to_owned(), |it| format!("{it:.1} s"));
        let calls = match self.extra_requests_per_order {
            Some(extra) => format!("{extra:+.1}"),
            None => format!("{:.1}", self.requests_per_order),
        };
        let cells = [
            self.accepted.to_string(),
            self.refused.to_string(),
            self.refused_but_stored.to_string(),
            self.fulfilled.to_string(),
            self.coupons.to_string(),
            self.announced_again.to_string(),
            self.dead_letters.to_string(),
            caught_up,
            calls,
            self.memory_mb.map_or("?".to_owned(), |it| format!("{it:.0}")),
            format!("{:.0} ms", self.worst_ping_ms),
        ];
        columns(&self.cell, cells, if self.broken.is_empty() { "ok" } else { "BROKEN" })
    }
}

fn columns(cell: &str, cells: [String; 11], verdict: &str) -> String {
    const WIDTHS: [usize; 11] = [9, 8, 7, 7, 8, 6, 5, 10, 7, 5, 8];
    let cells = cells.iter().zip(WIDTHS).map(|(text, width)| format!("{text:>width$}"));
    format!("{cell:<26}{}  {verdict}", cells.collect::<String>()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_below_their_heads() {
        let row = Row {
            cell: "status-topics/answer-lost".to_owned(),
            accepted: 2_000,
            caught_up_after_s: Some(29.9),
            extra_requests_per_order: Some(-12.3),
            memory_mb: Some(41.0),
            worst_ping_ms: 1_234.0,
            ..Row::default()
        };
        let (head, line) = (Row::head(), row.line());
        for (name, value) in [("accepted", " 2000 "), ("caught up", "29.9 s"), ("calls", "-12.3")] {
            let ends = |text: &str, part: &str| text.find(part).unwrap() + part.trim_end().len();
            assert_eq!(ends(&head, name), ends(&line, value), "\n{head}\n{line}");
        }
        assert!(line.ends_with("1234 ms  ok"), "{line}");
        let broken = Row { broken: vec!["dead letters".to_owned()], ..row };
        assert!(broken.line().ends_with("BROKEN") && broken.summary().contains("dead letters"));
    }
}
