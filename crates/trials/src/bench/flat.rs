//! What should not grow with the system: how long a request takes with more orders in the table,
//! and with more open streams.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use jiff::Timestamp;
use orders::order::OrderId;
use reqwest::{Client, Response, header::ACCEPT};
use tokio::{task::JoinSet, time::sleep};

use super::{
    load::{self, Kind, Load, Pace, Until},
    progress::progress,
    report::{Curve, Report},
    rig::{Rig, Service, Way},
    scale::{NETWORK, Scale},
};
use crate::usage::{cpu_seconds, memory_mb};

const SECTION: &str = "What stays the same as it grows";
/// The most that one request writes.
const BATCH: usize = 25;
const FILLING: usize = 4;
/// How often a page is loaded.
const PAGES: usize = 100;
/// The most streams that the publisher gives to one client.
const STREAMS_OF_A_CLIENT: usize = 50;
/// Until the first readings for new streams are over.
const STREAMS_SETTLE: Duration = Duration::from_secs(2);

/// Measures both.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut times: [(&str, Vec<_>); 3] =
        [("form", Vec::new()), ("list of orders", Vec::new()), ("page of an order", Vec::new())];
    for orders in [1_000, scale.table] {
        progress(&format!("requests with {orders} orders in the table, 5 ms per call"));
        let measured = with_orders(binaries, orders, scale).await?;
        for ((name, points), time) in times.iter_mut().zip(measured) {
            let name = format!("{name}, {orders} orders in the table, 5 ms per call: p50");
            report.add(SECTION, name, time, "ms");
            points.push((orders as f64, time));
        }
    }
    for (line, points) in times {
        report.curves.push(Curve {
            title: "Requests, by orders in the table, 5 ms per call".to_owned(),
            line: line.to_owned(),
            x: "orders",
            y: "ms",
            points,
        });
    }
    let mut points = Vec::new();
    for streams in [0, scale.streams / 10, scale.streams] {
        progress(&format!("{streams} open streams"));
        points.push((streams as f64, with_streams(binaries, streams, scale, report).await?));
    }
    report.curve("Form, by open streams, 5 ms per call", "streams", "ms", points);
    Ok(())
}

/// The median times of the form, the list and the page of an order, in milliseconds.
async fn with_orders(binaries: &Path, orders: usize, scale: Scale) -> anyhow::Result<[f64; 3]> {
    let rig = Rig::set_up(binaries, NETWORK).await?;
    let ids = fill(&rig, orders).await?;
    let publisher = rig.start("publisher", Way::Proxy).await?;
    let (client, url) = (Client::new(), format!("http://127.0.0.1:{}", publisher.port));
    let (mut list, mut page) = (load::histogram()?, load::histogram()?);
    for id in ids.iter().cycle().step_by(ids.len() / PAGES + 1).take(PAGES) {
        for (took, path) in
            [(&mut list, "/orders".to_owned()), (&mut page, format!("/orders/{id}"))]
        {
            let began = Instant::now();
            let request = client.get(format!("{url}{path}")).header(ACCEPT, "text/html");
            request.send().await?.error_for_status()?.bytes().await?;
            took.record(u64::try_from(began.elapsed().as_micros())?)?;
        }
    }
    let form = form(&publisher, scale).await?;
    rig.stop(vec![publisher]).await?;
    Ok([form, load::percentile(&list, 50.0), load::percentile(&page, 50.0)])
}

/// The median time of the form, with one connection, in milliseconds.
async fn form(publisher: &Service, scale: Scale) -> anyhow::Result<f64> {
    let until = Until::Elapsed(Duration::from_secs(scale.load_seconds));
    let load = Load { kind: Kind::Form, connections: 1, pace: Pace::Closed, until };
    Ok(load::run(publisher.port, load).await?.percentile(50.0))
}

/// Stores announced orders, and returns the ids of those that were stored first in each batch.
async fn fill(rig: &Rig, count: usize) -> anyhow::Result<Vec<String>> {
    let (dynamodb, table) = (rig.dynamodb(), rig.orders_table()?.to_owned());
    let (mut filling, mut ids) = (JoinSet::new(), Vec::new());
    for _ in 0..count.div_ceil(BATCH) {
        if filling.len() == FILLING
            && let Some(filled) = filling.join_next().await
        {
            ids.push(filled??);
        }
        let (dynamodb, table) = (dynamodb.clone(), table.clone());
        filling.spawn(async move {
            let orders: Vec<_> = std::iter::repeat_with(OrderId::new).take(BATCH).collect();
            let puts = orders.iter().map(|id| put(*id)).collect::<anyhow::Result<Vec<_>>>()?;
            dynamodb.batch_write_item().request_items(table, puts).send().await?;
            anyhow::Ok(orders[0].to_string())
        });
    }
    while let Some(filled) = filling.join_next().await {
        ids.push(filled??);
    }
    Ok(ids)
}

/// The write of an order that was announced.
fn put(id: OrderId) -> anyhow::Result<WriteRequest> {
    let at = Timestamp::now().as_millisecond();
    let text = |text: String| AttributeValue::S(text);
    let number = |number: i64| AttributeValue::N(number.to_string());
    let put = PutRequest::builder()
        .item("id", text(id.to_string()))
        .item("customer", text("Ada Lovelace".to_owned()))
        .item("amount", AttributeValue::N("42.00".to_owned()))
        .item("placed_at", number(at))
        .item("announced_at", number(at))
        .item("version", number(1))
        .item("shard", text(id.shard(4).to_string()))
        .item("placed", text(format!("{at:013}-{id}")))
        .build()?;
    Ok(WriteRequest::builder().put_request(put).build())
}

/// The median time of the form, in milliseconds, while this many streams of different orders are
/// open.
async fn with_streams(
    binaries: &Path,
    count: usize,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<f64> {
    let rig = Rig::set_up(binaries, NETWORK).await?;
    let publisher = rig.start("publisher", Way::Proxy).await?;
    let orders = load::run(publisher.port, Load::burst(16, count.max(1))).await?.accepted;
    let mut streams = Vec::new();
    for (number, order) in orders.iter().take(count).enumerate() {
        let url = format!("http://127.0.0.1:{}/orders/{}/events", publisher.port, order.id);
        streams.push(open(&url, number / STREAMS_OF_A_CLIENT).await?);
    }
    sleep(STREAMS_SETTLE).await;
    let seconds = scale.load_seconds as f64;
    let calls = || rig.calls().values().sum::<u64>();
    let (before, used) = (calls(), cpu_seconds(publisher.pid()));
    sleep(Duration::from_secs(scale.load_seconds)).await;
    let asked = (calls() - before) as f64 / seconds;
    let busy = cpu_seconds(publisher.pid()).zip(used).map(|(now, then)| (now - then) / seconds);
    let memory = memory_mb(publisher.pid()).unwrap_or_default();
    let time = form(&publisher, scale).await?;
    let name = format!("form, {count} open streams, 5 ms per call: p50");
    let busy = 100.0 * busy.unwrap_or_default();
    let note = format!("alone: {asked:.0} requests a second, CPU {busy:.0} %, {memory:.1} MB");
    report.add(SECTION, name, time, "ms").note(note);
    drop(streams);
    rig.stop(vec![publisher]).await?;
    Ok(time)
}

/// Opens a stream as the client of this number.
async fn open(url: &str, client: usize) -> anyhow::Result<(Client, Response)> {
    let address = Ipv4Addr::new(127, 0, 1, u8::try_from(client + 1)?);
    let client = Client::builder().local_address(IpAddr::from(address)).build()?;
    let request = client.get(url).header(ACCEPT, "text/event-stream");
    let stream = request.send().await?.error_for_status()?;
    Ok((client, stream))
}
