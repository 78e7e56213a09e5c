//! The tables of `docs/costs.md`.

use std::{fmt::Write as _, path::Path};

use deployment::{Deployment, cloudformation::template::Resource};

use super::{
    bill::{Layout, Line, Month},
    list::{List, Numbers},
};

/// Orders a second, all month.
const RATES: [f64; 4] = [0.0, 1.0, 100.0, 1_000.0];

/// All tables, as Markdown.
///
/// # Errors
///
/// If the list of prices or the files of a deployment are wrong.
pub fn page() -> anyhow::Result<String> {
    let list = List::read()?;
    let numbers = list.numbers();
    let mut page = String::new();
    for (layout, title) in
        [(Layout::Copilot, "With Copilot"), (Layout::Infrastructure, "With infrastructure/")]
    {
        let alarms = alarms(layout)?;
        let month = |rate| Month { numbers: &numbers, layout, rate, alarms };
        let bills = RATES.map(|rate| month(rate).lines());
        write!(page, "### {title}\n\n{}\n", table(&bills))?;
    }
    write!(page, "### What telemetry costs\n\n{}\n", telemetry(&numbers)?)?;
    write!(page, "### The prices\n\n{}\n", prices(&list)?)?;
    write!(page, "### What was counted\n\n{}", counts(&list)?)?;
    Ok(page)
}

/// How many metrics the alarms watch that are for people.
///
/// # Errors
///
/// If the files of a deployment are wrong.
pub fn alarms(layout: Layout) -> anyhow::Result<f64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let deployment: Deployment = match layout {
        Layout::Copilot => deployment::copilot::read(&root.join("copilot"), "test")?,
        Layout::Infrastructure => {
            deployment::infrastructure::read(&root.join("infrastructure"), "test")?
        }
    };
    let mut count = 0;
    for stack in &deployment.stacks {
        for declared in stack.resources.values() {
            let Resource::Alarm(alarm) = &declared.value else { continue };
            // Those of the scaling have no second action, for their end.
            if alarm.at(&["OKActions"]).is_some() {
                let metrics = alarm.at(&["Metrics"]).map(|it| it.items());
                let several =
                    metrics.map(|it| it.iter().filter(|it| it.at(&["MetricStat"]).is_some()));
                count += several.map_or(1, Iterator::count);
            }
        }
    }
    Ok(count as f64)
}

/// A bill for each rate, side by side, with the sum.
fn table(bills: &[Vec<Line>; 4]) -> String {
    let mut text = String::from(
        "| USD a month, at orders a second | 0 | 1 | 100 | 1,000 |\n|---|---|---|---|---|\n",
    );
    for (row, (name, _)) in bills[0].iter().enumerate() {
        let values = bills.each_ref().map(|bill| bill[row].1);
        if values.iter().any(|it| *it > 0.0) {
            text += &line(name, &values);
        }
    }
    let sums = bills.each_ref().map(|bill| bill.iter().map(|(_, usd)| usd).sum());
    text + &line("**in all**", &sums)
}

/// Logs, metrics and traces, as they are and if everything were recorded.
fn telemetry(numbers: &Numbers) -> anyhow::Result<String> {
    let rates = [1.0, 100.0, 1_000.0];
    let layout = Layout::Infrastructure;
    let bills = rates.map(|rate| Month { numbers, layout, rate, alarms: 0.0 }.telemetry());
    let mut text =
        String::from("| USD a month, at orders a second | 1 | 100 | 1,000 |\n|---|---|---|---|\n");
    for row in 0..bills[0].len() {
        text += &line(bills[0][row].0, &bills.map(|bill| bill[row].1));
    }
    let sums = bills.map(|bill| bill.iter().map(|(_, usd)| usd).sum());
    text += &line("**in all**", &sums);
    let all = bills.map(|bill| bill[2].1 / numbers.get("sampled"));
    text += &line("traces, if all were recorded", &all);
    Ok(text)
}

fn prices(list: &List) -> anyhow::Result<String> {
    let List { as_of, region, prices, .. } = list;
    let mut text = format!("In {region}, on {as_of}, without the free tier.\n\n");
    text += "| what | USD | source |\n|---|---|---|\n";
    for price in prices {
        // A million of what costs less than a cent each.
        let (usd, of) = if price.usd < 0.0001 {
            (price.usd * 1e6, format!("a million times {}", price.of))
        } else {
            (price.usd, price.of.clone())
        };
        writeln!(text, "| {of} | {} | <{}> |", rounded(usd), price.source)?;
    }
    Ok(text)
}

fn counts(list: &List) -> anyhow::Result<String> {
    let mut text = String::from("| number | what it is | where it comes from |\n|---|---|---|\n");
    for count in &list.counts {
        writeln!(text, "| {} | {} | {} |", count.value, count.of, count.source)?;
    }
    Ok(text)
}

/// A price without the noise of binary fractions.
fn rounded(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}

fn line(name: &str, values: &[f64]) -> String {
    let cells: Vec<_> = values.iter().map(|it| amount(*it)).collect();
    format!("| {name} | {} |\n", cells.join(" | "))
}

/// Dollars, with cents below a hundred, and commas.
pub fn amount(usd: f64) -> String {
    if usd < 100.0 { format!("{usd:.2}") } else { grouped(usd) }
}

/// A whole number, with commas.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
