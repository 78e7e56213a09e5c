//! What an order costs the services at an easy rate: processor time, also with TLS and with
//! telemetry.

use std::{path::Path, time::Duration};

use axum::{Router, http::StatusCode};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{
    report::Report,
    rig::{Rig, Way},
    scale::Scale,
    steady::{Goal, Step, at},
};

const SECTION: &str = "An order at an easy rate";
/// Orders a second that all services together take easily.
const RATE: f64 = 400.0;
/// Where a service exports to.
const EXPORT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What is different from the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variation {
    Usual,
    Tls,
    /// Metrics and this percentage of all traces.
    Export(u32),
}

impl Variation {
    fn name(self) -> String {
        match self {
            Self::Usual => "as in the other measurements".to_owned(),
            Self::Tls => "with TLS to AWS".to_owned(),
            Self::Export(percent) => format!("exporting metrics and {percent} % of all traces"),
        }
    }
}

/// Measures each variation for as long as `scale` says.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let (collector, _collector) = collector().await?;
    let mut usual = None;
    for variation in
        [Variation::Usual, Variation::Tls, Variation::Export(5), Variation::Export(100)]
    {
        let mut rig = Rig::set_up(binaries, Duration::ZERO).await?;
        match variation {
            Variation::Usual => {}
            Variation::Tls => rig.set_up_tls().await?,
            Variation::Export(percent) => {
                rig.give(EXPORT, &collector);
                rig.give("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
                rig.give("OTEL_TRACES_SAMPLER_ARG", f64::from(percent) / 100.0);
            }
        }
        let way = if variation == Variation::Tls { Way::Tls } else { Way::Direct };
        let step = at(Goal::Fulfilled, RATE, scale.step_seconds, &rig, way, report).await?;
        let usual = *usual.get_or_insert(step.micros());
        add(report, &variation.name(), &step, usual);
    }
    Ok(())
}

fn add(report: &mut Report, name: &str, step: &Step, usual: f64) {
    let each = step.used.iter().map(|used| format!("{} {:.0}", used.name, used.micros));
    let each = each.collect::<Vec<_>>().join(", ");
    let all = step.micros();
    let note = format!("{each} µs; {:+.0} %", 100.0 * (all / usual - 1.0));
    report.add(SECTION, format!("CPU per order, {name}"), all, "µs").note(note);
}

/// A collector that takes everything and keeps nothing, until its handle is dropped.
async fn collector() -> anyhow::Result<(String, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(async |_: axum::body::Bytes| StatusCode::OK);
    let server = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok((url, AbortOnDropHandle::new(server)))
}
