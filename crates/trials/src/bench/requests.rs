//! What an order costs: requests to AWS by operation, counted in front of the endpoint, and from
//! them the price of a million orders.

use std::{collections::BTreeMap, path::Path, time::Duration};

use tokio::time::sleep;

use super::{
    NETWORK, Scale,
    load::{self, Accepted, Kind, Load, Pace, Until},
    report::{Report, Target},
    stage::{Service, Stage, Way},
    system::{settle, start_all},
    tell,
};

const SECTION: &str = "Requests to AWS and their price";
/// So many send at the same time: enough for something to wait whenever a request is under way.
const CONNECTIONS: u32 = 64;
/// Orders a second that hardly ever meet.
const EASY_RATE: f64 = 10.0;
/// Announcing what was accepted takes less.
const ANNOUNCING: Duration = Duration::from_secs(60);

/// The public price list, on-demand, region us-east-1, without the free tier, in US dollars for a
/// million: <https://aws.amazon.com/sqs/pricing/>, <https://aws.amazon.com/sns/pricing/> and
/// <https://aws.amazon.com/dynamodb/pricing/on-demand/>.
mod price {
    /// When the last of these prices changed.
    pub const AS_OF: &str = "November 2024";
    /// Requests to a standard queue, of up to 64 KB each.
    pub const SQS_REQUESTS: f64 = 0.40;
    /// Requests to a standard topic, of up to 64 KB each. Deliveries to SQS are free.
    pub const SNS_REQUESTS: f64 = 0.50;
    /// Write request units, of up to 1 KB each.
    pub const DYNAMODB_WRITES: f64 = 0.625;
    /// Read request units, of up to 4 KB each; an eventually consistent read takes half of one.
    pub const DYNAMODB_READS: f64 = 0.125;
}

/// Requests to AWS, by service and operation such as `SQS.ReceiveMessage`.
pub struct Requests {
    /// How many orders they were for.
    pub orders: usize,
    /// How often each was made.
    pub calls: BTreeMap<String, u64>,
}

impl Requests {
    /// Those of an operation or, with its name alone, of a service; for each order.
    pub fn per_order(&self, prefix: &str) -> f64 {
        let calls = self.calls.iter().filter(|(name, _)| name.starts_with(prefix));
        calls.map(|(_, count)| *count).sum::<u64>() as f64 / self.orders as f64
    }

    /// What a million such orders cost, in US dollars.
    fn price(&self) -> f64 {
        // A new order is written to the table and to both of its indexes; noting that it is
        // announced changes the table and takes it out of one index. What the workers tell, and a
        // coupon, change a table alone.
        let orders = 3.0 + 2.0;
        let told = self.per_order("DynamoDB.UpdateItem") - 1.0;
        let coupons = self.per_order("DynamoDB.PutItem") - 1.0;
        // A query of the outbox that finds nothing takes half a unit.
        let reads = 0.5 * self.per_order("DynamoDB.Query");
        (orders + told + coupons) * price::DYNAMODB_WRITES
            + reads * price::DYNAMODB_READS
            + self.per_order("SNS") * price::SNS_REQUESTS
            + self.per_order("SQS") * price::SQS_REQUESTS
    }
}

/// Counts at load, at ease and idle.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    tell("requests per order at load");
    let loaded = at_load(binaries, scale.counted, report).await?;
    let total = loaded.per_order("");
    report.add(SECTION, "requests per order at load", total, "").target(Target::AtMost(6.0));
    let dynamodb = loaded.per_order("DynamoDB");
    report.add(SECTION, "  DynamoDB", dynamodb, "").target(Target::AtMost(4.5));
    for operation in loaded.calls.keys() {
        report.add(SECTION, format!("    {operation}"), loaded.per_order(operation), "");
    }
    let note = format!("half of them with a coupon; prices of {}", price::AS_OF);
    report.add(SECTION, "a million orders at load", loaded.price(), "USD").note(&note);

    tell("requests per order, few orders");
    let eased = at_ease(binaries, scale, report).await?;
    let name = format!("requests per order at {EASY_RATE:.0} orders a second");
    report.add(SECTION, name, eased.per_order(""), "");
    report.add(SECTION, "a million such orders", eased.price(), "USD").note(note);

    tell("requests of an idle system");
    let stage = Stage::set(binaries, Duration::ZERO).await?;
    let services = start_all(&stage, Way::Proxy).await?;
    // Starting makes requests of its own.
    sleep(Duration::from_secs(1)).await;
    let before: u64 = stage.proxy.counts().calls.values().sum();
    sleep(scale.idle).await;
    let idle = stage.proxy.counts().calls.values().sum::<u64>() - before;
    let per_minute = idle as f64 * 60.0 / scale.idle.as_secs_f64();
    report.add(SECTION, "requests per minute, idle", per_minute, "");
    stage.stop(services).await
}

/// The requests that `orders` orders take, half of them with a coupon, from the first to the end
/// of all that they set off.
///
/// The workers start when all orders are announced: what is counted does not depend on how fast
/// this machine is, and batches are as full as they are when a rush has left a backlog.
///
/// # Errors
///
/// If the system cannot be started, or is never quiet.
pub async fn at_load(
    binaries: &Path,
    orders: usize,
    report: &mut Report,
) -> anyhow::Result<Requests> {
    let stage = Stage::set(binaries, NETWORK).await?;
    let mut services = vec![stage.start("publisher", Way::Proxy).await?];
    let load = Load::burst(CONNECTIONS, orders);
    let accepted = load::run(services[0].port, load).await?.accepted;
    stage.unannounced(&accepted, ANNOUNCING).await?;
    for worker in ["fulfilment", "promotion"] {
        services.push(stage.start(worker, Way::Proxy).await?);
    }
    counted(stage, services, &accepted, report).await
}

/// The requests of orders that come by themselves.
async fn at_ease(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<Requests> {
    let stage = Stage::set(binaries, NETWORK).await?;
    let services = start_all(&stage, Way::Proxy).await?;
    let load = Load {
        kind: Kind::Form,
        connections: 2,
        pace: Pace::Open(EASY_RATE),
        until: Until::Elapsed(Duration::from_secs(scale.load_seconds)),
    };
    let accepted = load::run(services[0].port, load).await?.accepted;
    counted(stage, services, &accepted, report).await
}

/// Waits until all is quiet; then counts what that took, and what the starts of services did.
async fn counted(
    stage: Stage,
    services: Vec<Service>,
    accepted: &[Accepted],
    report: &mut Report,
) -> anyhow::Result<Requests> {
    settle(&stage, accepted, report, || {}).await?;
    let calls = stage.proxy.counts().calls;
    stage.stop(services).await?;
    Ok(Requests { orders: accepted.len(), calls })
}
