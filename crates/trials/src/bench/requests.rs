//! The requests to AWS that an order takes, counted in front of the endpoint, and their price.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::Context as _;
use tokio::time::sleep;

use super::{
    load::{self, Accepted, Kind, Load, Pace, Until},
    progress::progress,
    report::{Report, Target},
    rig::{Rig, Service, Way},
    scale::{NETWORK, Scale},
    stored,
    system::settle,
};

const SECTION: &str = "Requests to AWS and their price";
/// Enough for several orders to wait whenever a request is in flight.
const CONNECTIONS: u32 = 64;
/// Orders a second, few enough that two hardly ever share a request.
const EASY_RATE: f64 = 10.0;
/// Orders a second that keep everything busy, without a backlog.
const BUSY_RATE: f64 = 400.0;
/// Longer than it takes to announce the accepted orders.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(60);

/// The write units of an event in the history: on AWS its envelope has some 1.5 KB, which are two,
/// and the index of orders takes one.
const EVENT_UNITS: f64 = 3.0;

/// The public price list: on demand, in us-east-1, without the free tier, in US dollars for a
/// million. See <https://aws.amazon.com/sqs/pricing/>, <https://aws.amazon.com/sns/pricing/> and
/// <https://aws.amazon.com/dynamodb/pricing/on-demand/>.
mod price {
    /// When the price list was read, and when one of these prices last changed.
    pub const AS_OF: &str = "prices as of November 2026, last changed in November 2024";
    /// Requests to a standard queue, of up to 64 KB each.
    pub const SQS_REQUESTS: f64 = 0.40;
    /// Requests to a standard topic, of up to 64 KB each. Deliveries to SQS are free.
    pub const SNS_REQUESTS: f64 = 0.50;
    /// Write request units, of up to 1 KB each.
    pub const DYNAMODB_WRITES: f64 = 0.625;
    /// Read request units, of up to 4 KB each; an eventually consistent read takes half of one.
    pub const DYNAMODB_READS: f64 = 0.125;
}

/// The requests to AWS for a number of orders, and what they wrote.
pub struct Requests {
    /// The number of orders.
    pub orders: usize,
    /// The number of coupons that are stored.
    pub coupons: usize,
    /// The number of reports that are stored on the orders.
    pub reports: usize,
    /// The number of events that history keeps.
    pub events: usize,
    /// Requests by service and operation such as `SQS.ReceiveMessage`.
    pub calls: BTreeMap<String, u64>,
}

impl Requests {
    /// The requests whose names begin with `prefix`: those of an operation such as
    /// `DynamoDB.PutItem`, of a service, or all with an empty prefix.
    pub fn count(&self, prefix: &str) -> u64 {
        let calls = self.calls.iter().filter(|(name, _)| name.starts_with(prefix));
        calls.map(|(_, count)| *count).sum()
    }

    fn per_order(&self, prefix: &str) -> f64 {
        self.count(prefix) as f64 / self.orders as f64
    }

    /// The price of a million such orders, in US dollars.
    fn price(&self) -> f64 {
        // Storing an order writes the table and both of its indexes. A report or a coupon writes
        // one table, and the first report removes the order from one index. If no report comes in
        // time, noting the announcement writes the table, and moves the order within the index.
        let reports = self.reports as f64 / self.orders as f64;
        let notes = self.per_order("DynamoDB.UpdateItem") - reports;
        let orders = 3.0 + 1.0 + 3.0 * notes;
        let events = self.events as f64 / self.orders as f64;
        let coupons = self.per_order("DynamoDB.PutItem") - 1.0 - events;
        // A query of an empty outbox takes half a unit.
        let reads = 0.5 * self.per_order("DynamoDB.Query");
        (orders + reports + coupons + events * EVENT_UNITS) * price::DYNAMODB_WRITES
            + reads * price::DYNAMODB_READS
            + self.per_order("SNS") * price::SNS_REQUESTS
            + self.per_order("SQS") * price::SQS_REQUESTS
    }

    /// The requests for an order, by operation.
    fn listed(&self) -> String {
        let each = self.calls.keys().map(|name| format!("{name} {:.2}", self.per_order(name)));
        each.collect::<Vec<_>>().join(", ")
    }

    /// What the price depends on.
    fn price_note(&self) -> String {
        let coupons = 100.0 * self.coupons as f64 / self.orders as f64;
        format!("{coupons:.0} % of them with a coupon; {}", price::AS_OF)
    }
}

/// Counts requests at load, with few orders, and without orders.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    progress("requests for an order at load");
    let rig = Rig::set_up(binaries, NETWORK).await?;
    let loaded = at_load(rig, scale.counted, report).await?;
    let total = loaded.per_order("");
    report.add(SECTION, "requests per order at load", total, "").target(Target::AtMost(6.0));
    let dynamodb = loaded.per_order("DynamoDB");
    report.add(SECTION, "  DynamoDB", dynamodb, "").target(Target::AtMost(4.5));
    for operation in loaded.calls.keys() {
        report.add(SECTION, format!("    {operation}"), loaded.per_order(operation), "");
    }
    let name = "a million orders at load";
    report.add(SECTION, name, loaded.price(), "USD").note(loaded.price_note());

    progress("requests for an order at load, with history");
    let rig = Rig::with_history(binaries, NETWORK).await?;
    let with_history = at_load(rig, scale.counted, report).await?;
    let total = with_history.per_order("");
    report.add(SECTION, "requests per order at load with history", total, "");
    let name = "a million orders at load with history";
    report.add(SECTION, name, with_history.price(), "USD").note(with_history.price_note());

    progress("requests for an order with everything running");
    let time = Duration::from_secs(scale.step_seconds);
    let busy = at_rate(binaries, BUSY_RATE, time, report).await?;
    let name = format!("requests per order at {BUSY_RATE:.0} orders a second");
    let total = busy.per_order("");
    report.add(SECTION, name, total, "").target(Target::AtMost(4.0)).note(busy.listed());
    let name = format!("a million orders at {BUSY_RATE:.0} a second");
    report.add(SECTION, name, busy.price(), "USD").note(busy.price_note());

    progress("requests for an order when there are few");
    let time = Duration::from_secs(scale.load_seconds);
    let eased = at_rate(binaries, EASY_RATE, time, report).await?;
    let name = format!("requests per order at {EASY_RATE:.0} orders a second");
    report.add(SECTION, name, eased.per_order(""), "").note(eased.listed());
    let name = format!("a million orders at {EASY_RATE:.0} a second");
    report.add(SECTION, name, eased.price(), "USD").note(eased.price_note());

    progress("requests of an idle system");
    let per_minute = when_idle(binaries, scale.idle).await?;
    let name = "requests per minute of the idle system";
    report.add(SECTION, name, per_minute, "").target(Target::AtMost(30.0));
    Ok(())
}

/// The requests in a minute without orders, counted for `time`.
///
/// # Errors
///
/// If a service does not start.
pub async fn when_idle(binaries: &Path, time: Duration) -> anyhow::Result<f64> {
    let rig = Rig::set_up(binaries, Duration::ZERO).await?;
    let services = rig.start_all(Way::Proxy).await?;
    // Starting makes requests of its own.
    sleep(Duration::from_secs(1)).await;
    let before: u64 = rig.calls().values().sum();
    sleep(time).await;
    let idle = rig.calls().values().sum::<u64>() - before;
    rig.stop(services).await?;
    Ok(idle as f64 * 60.0 / time.as_secs_f64())
}

/// The requests for `orders` orders, half of them large, until every queue is empty.
///
/// The workers start when all orders are announced, and that is noted. So the count does not depend
/// on the speed of this machine, and batches are as full as after a rush that left a backlog.
///
/// # Errors
///
/// If a service does not start, or the queues do not become empty.
pub async fn at_load(rig: Rig, orders: usize, report: &mut Report) -> anyhow::Result<Requests> {
    let names = rig.services();
    let (publisher, workers) = names.split_first().context("there are no services")?;
    let mut services = vec![rig.start(publisher, Way::Proxy).await?];
    let load = Load::burst(CONNECTIONS, orders);
    let accepted = load::run(services[0].port, load).await?.accepted;
    stored::noted(&rig, &accepted, ANNOUNCE_TIMEOUT).await?;
    for worker in workers {
        services.push(rig.start(worker, Way::Proxy).await?);
    }
    counted(rig, services, &accepted, report).await
}

/// The requests for orders of which two hardly ever share a request, sent for `time`.
///
/// # Errors
///
/// As [`at_load`].
pub async fn with_few(
    binaries: &Path,
    time: Duration,
    report: &mut Report,
) -> anyhow::Result<Requests> {
    at_rate(binaries, EASY_RATE, time, report).await
}

/// The requests for orders at this rate, for `time`, with everything running.
///
/// # Errors
///
/// As [`at_load`].
async fn at_rate(
    binaries: &Path,
    rate: f64,
    time: Duration,
    report: &mut Report,
) -> anyhow::Result<Requests> {
    let rig = Rig::set_up(binaries, NETWORK).await?;
    let services = rig.start_all(Way::Proxy).await?;
    let load = Load {
        kind: Kind::Form,
        connections: CONNECTIONS,
        pace: Pace::Open(rate),
        until: Until::Elapsed(time),
    };
    let accepted = load::run(services[0].port, load).await?.accepted;
    counted(rig, services, &accepted, report).await
}

/// Waits until every queue is empty. Then counts all requests, including those of starting.
async fn counted(
    rig: Rig,
    services: Vec<Service>,
    accepted: &[Accepted],
    report: &mut Report,
) -> anyhow::Result<Requests> {
    settle(&rig, accepted, report, || {}).await?;
    let calls = rig.calls();
    let (coupons, reports) = (stored::coupons(&rig).await?, stored::reports(&rig).await?);
    let events = stored::events(&rig).await?;
    rig.stop(services).await?;
    Ok(Requests { orders: accepted.len(), coupons, reports, events, calls })
}
