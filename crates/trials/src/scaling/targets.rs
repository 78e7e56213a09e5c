//! What the targets of the scaling follow from, as a table.

use deployment::description::scaling::Metric;

use super::{measured::Measured, workspace::directory};
use crate::prices::grouped;

/// The table: what was measured, what a task is assumed to take, what it does in a minute, and the
/// target of the templates.
///
/// # Errors
///
/// If a template is wrong.
pub fn table(measured: Measured) -> anyhow::Result<String> {
    let deployment = deployment::read(&directory("infrastructure"), "test")?;
    let mut table =
        "| service | measured | × 4 × 2 | in a minute | target |\n|---|---|---|---|---|\n"
            .to_owned();
    for (name, service, micros, metric, what) in [
        ("publisher", "publisher", measured.publisher_micros, Metric::Requests, "requests"),
        ("workers", "fulfilment", measured.fulfilment_micros, Metric::Waiting, "messages"),
    ] {
        let scaling = deployment.service(service).and_then(|it| it.operation.scaling.as_ref());
        let target = scaling.and_then(|it| it.targets.get(&metric)).map_or(0.0, |it| it.value);
        let milliseconds = Measured::seconds(micros) * 1e3;
        let (in_a_minute, target) = (grouped(Measured::in_a_minute(micros)), grouped(target));
        table += &format!(
            "| {name} | {micros} µs | {milliseconds:.3} ms | {in_a_minute} {what} | {target} |\n"
        );
    }
    Ok(table)
}
