//! docs/operate.md, as far as tests compare it with what runs.

use std::collections::{BTreeMap, BTreeSet};

/// Where operators read what a metric or an alarm means.
const GUIDE: &str = include_str!("../../../../docs/operate.md");

/// A row of the table of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub unit: String,
    pub attributes: BTreeSet<String>,
}

/// The text of the section below a heading such as `## Logs`, with its own subsections.
pub fn section(heading: &str) -> &'static str {
    let level = heading.split(' ').next().unwrap_or_default();
    let start = GUIDE.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading:?}"));
    let body = &GUIDE[start + heading.len() + 2..];
    let ends = (2..=level.len()).filter_map(|n| body.find(&format!("\n{} ", "#".repeat(n))));
    &body[..ends.min().unwrap_or(body.len())]
}

/// The rows of the table of metrics, by name.
pub fn metrics() -> BTreeMap<String, Row> {
    let rows = section("## Metrics").lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let attributes = cells[3].split(',').map(|it| it.trim().trim_matches('`').to_owned());
        let attributes = attributes.filter(|it| !it.is_empty()).collect();
        (cells[1].trim_matches('`').to_owned(), Row { unit: cells[2].to_owned(), attributes })
    };
    rows.map(row).collect()
}

/// The entries of the runbook, by the anchors of their headings.
pub fn entries() -> BTreeMap<String, &'static str> {
    let headings = section("## Alarms").lines().filter(|line| line.starts_with("### "));
    let anchor = |heading: &str| heading[4..].to_lowercase().replace(' ', "-");
    headings.map(|heading| (anchor(heading), section(heading))).collect()
}
