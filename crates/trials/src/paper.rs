//! The system on paper at rates that nobody has sent it: tasks, shards, writes and money, which
//! limits it reaches, and in which order.

use std::fmt::Write as _;

use archive::SHARDS as DAY_SHARDS;

use crate::{
    prices::{Layout, List, Month, Numbers, alarms, amount, grouped},
    scaling::patterns::MAX_TASKS,
};

/// Orders a second, all month.
const RATES: [f64; 4] = [100.0, 1_000.0, 10_000.0, 100_000.0];
/// The tables and indexes, and the names of what an order writes to them.
const WRITTEN: [(&str, &str); 6] = [
    ("the table of orders", "orders_writes"),
    ("its index `outbox`", "outbox_writes"),
    ("its index `latest`", "latest_writes"),
    ("the table of coupons", "coupon_writes"),
    ("the table of events", "event_writes"),
    ("its index `order`", "event_index_writes"),
];
const SERVICES: [&str; 4] = ["publisher", "fulfilment", "promotion", "history"];
/// The part of a processor that a task has.
const PROCESSOR: f64 = 0.25;
/// What `ORDERS_SHARDS` is if nobody sets it, and the most that it may be.
const SHARDS: f64 = 4.0;
const MOST_SHARDS: f64 = 256.0;
/// The most that `MaxTasks` may be.
const MOST_TASKS: f64 = 100.0;
/// Messages that an order has for history, whose queue gets the most.
const EVENTS: f64 = 2.5;

/// Something of which there is only so much.
struct Limit {
    what: String,
    most: f64,
    /// How much an order takes each second.
    of_an_order: f64,
    /// What to do.
    then: &'static str,
    source: Option<String>,
    /// Whether it holds for the region and the settings of the other table.
    holds: bool,
}

impl Limit {
    /// The orders a second at which it is reached.
    fn ends_at(&self) -> f64 {
        (self.most / self.of_an_order).floor()
    }
}

/// All tables, as Markdown.
///
/// # Errors
///
/// If the list of prices, or the files of a deployment, are wrong.
pub fn tables() -> anyhow::Result<String> {
    let list = List::read()?;
    let numbers = list.numbers();
    let mut limits = of_ours(&numbers);
    limits.extend(of_aws(&list, &numbers));
    limits.sort_by(|one, other| one.ends_at().total_cmp(&other.ends_at()));
    let mut text = sizes(&numbers)?;
    text +=
        "\nWhat is reached on the way, with the settings of the templates and in us-east-1:\n\n";
    let mut below = 0.0;
    for rate in RATES {
        writeln!(text, "- **up to {}**: {}", grouped(rate), reached(&limits, below, rate))?;
        below = rate;
    }
    writeln!(text, "- **beyond**: {}", reached(&limits, below, f64::INFINITY))?;
    text += "\n| limit | is | an order takes | ends at orders a second | then |\n\
             |---|---|---|---|---|\n";
    for limit in &limits {
        let Limit { what, most, of_an_order, then, source, .. } = limit;
        let what = source.as_ref().map_or(what.clone(), |source| format!("[{what}]({source})"));
        let (most, ends_at) = (grouped(*most), grouped(limit.ends_at()));
        let of_an_order = short(*of_an_order);
        writeln!(text, "| {what} | {most} | {of_an_order} | {ends_at} | {then} |")?;
    }
    Ok(text)
}

/// What the system takes at each rate.
fn sizes(numbers: &Numbers) -> anyhow::Result<String> {
    let month = |rate| Month { numbers, layout: Layout::Copilot, rate, alarms: 0.0 };
    let months = RATES.map(month);
    let mut text = row("orders a second", RATES) + "|---|---|---|---|---|\n";
    for (service, name) in SERVICES.iter().enumerate() {
        let tasks = months.each_ref().map(|it| it.services()[service]);
        text += &row(&format!("tasks of {name}"), tasks);
    }
    text += &row("`ORDERS_SHARDS`, at least", months.each_ref().map(Month::shards));
    for (name, written) in [
        ("… if sweeps announce all orders", "outbox_swept_writes"),
        ("shards of a day of events", "event_writes"),
    ] {
        let shards = numbers.get(written) / numbers.get("partition_writes");
        text += &row(name, RATES.map(|rate| (rate * shards).ceil()));
    }
    let each = |of_an_order: f64| RATES.map(|rate| rate * of_an_order);
    for (table, written) in WRITTEN {
        let name = format!("write units a second: {table}");
        text += &row(&name, each(numbers.get(written)));
    }
    let reads = months.each_ref().map(|it| it.sweep_reads_minute() / 60.0);
    text += &row("read units a second: sweeps of the outbox", reads);
    let requests = |service| months.each_ref().map(|it| it.rate * it.requests(service));
    text += &row("messages a second to SNS", each(numbers.get("messages")));
    text += &row("… in requests", requests("sns"));
    text += &row("messages a second from queues", each(numbers.get("receipts")));
    text += &row("… in requests to SQS", requests("sqs"));
    let in_flight = EVENTS * numbers.get("handling_seconds");
    text += &row("messages in flight in history's queue", each(in_flight));
    text += &row("MB of logs a second", each(numbers.get("log_kb") / 1_000.0));
    Ok(text + &money(numbers)?)
}

/// What it costs.
fn money(numbers: &Numbers) -> anyhow::Result<String> {
    let mut text = String::new();
    for (layout, name) in
        [(Layout::Copilot, "with Copilot"), (Layout::Infrastructure, "with infrastructure/")]
    {
        let alarms = alarms(layout)?;
        let months = RATES.map(|rate| Month { numbers, layout, rate, alarms });
        text += &row(&format!("USD a month, {name}"), months.each_ref().map(Month::sum));
        let of_a_million = months.each_ref().map(|it| amount(it.sum() / it.orders() * 1e6));
        writeln!(text, "| … for a million orders | {} |", of_a_million.join(" | "))?;
    }
    Ok(text)
}

/// Tasks of the publisher, and of all services, for an order a second.
fn tasks_of_an_order(numbers: &Numbers) -> (f64, f64) {
    let tasks = |milliseconds: f64| milliseconds / 1e3 / numbers.get("busy");
    let (publisher, worker) = (numbers.get("publisher_ms"), numbers.get("worker_ms"));
    (tasks(publisher), tasks(publisher + (1.5 + EVENTS) * worker))
}

/// What the templates and the code say.
fn of_ours(numbers: &Numbers) -> Vec<Limit> {
    let partition = numbers.get("partition_writes");
    let (publishers, _) = tasks_of_an_order(numbers);
    let raise = "raise [`ORDERS_SHARDS`](operate.md#shards)";
    let second = "a second table, with publishers of its own";
    let in_code = "more of them, in [`event.rs`](../crates/archive/src/event.rs), or no history";
    let mut limits = vec![
        ("`MaxTasks` of the publisher".to_owned(), MAX_TASKS.into(), publishers, "raise it"),
        ("the most `MaxTasks`".to_owned(), MOST_TASKS, publishers, "larger tasks (`Cpu`)"),
        (
            "writes to the shards of a day of events".to_owned(),
            f64::from(DAY_SHARDS) * partition,
            numbers.get("event_writes"),
            in_code,
        ),
    ];
    for (shards, then) in [(SHARDS, raise), (MOST_SHARDS, second)] {
        let (name, most) = (format!("writes to {shards} shards of the outbox"), shards * partition);
        let swept = format!("{name}, if sweeps announce all orders");
        limits.push((name, most, numbers.get("outbox_writes"), then));
        limits.push((swept, most, numbers.get("outbox_swept_writes"), then));
    }
    let limit = |(what, most, of_an_order, then)| Limit {
        what,
        most,
        of_an_order,
        then,
        source: None,
        holds: true,
    };
    limits.into_iter().map(limit).collect()
}

/// What AWS says.
fn of_aws(list: &List, numbers: &Numbers) -> Vec<Limit> {
    let of = |name: &str| numbers.get(name);
    let (publishers, tasks) = tasks_of_an_order(numbers);
    let (messages, events) = (of("messages"), of("event_writes"));
    let ask = "ask AWS for more";
    // It grows with the tasks and with the shards: what an order takes where it ends.
    let shard_reads = of("shard_reads_minute") / 60.0;
    let sweeps = publishers * of("outbox_writes") / of("partition_writes") * shard_reads;
    let sweeps = (of("table_reads") * sweeps).sqrt();
    let fewer = "larger tasks (`Cpu`), since each reads every shard";
    let limits = [
        ("new_table_writes", "events: ", events, "it grows by itself; warm it before a sale"),
        ("table_writes", "events: ", events, ask),
        ("table_writes", "orders: ", of("orders_writes"), ask),
        ("table_reads", "sweeps of the outbox: ", sweeps, fewer),
        ("sns_messages", "", messages, ask),
        ("sns_messages_larger", "", messages, ask),
        ("sns_messages_large", "", messages, ask),
        ("sns_messages_small", "", messages, ask),
        ("queue_in_flight", "", EVENTS * of("handling_seconds"), ask),
        ("fargate_processors", "", tasks * PROCESSOR, ask),
        ("balancer_targets", "", publishers, ask),
        ("xray_segments", "", of("segments") * of("sampled"), "record fewer traces"),
        ("log_requests", "", of("log_kb") / 1_000.0, ask),
    ];
    let limit = |(name, prefix, of_an_order, then): (&str, &str, f64, &'static str)| {
        let count = list.limits.iter().find(|it| it.name == name).expect("a limit of the list");
        let what = format!("{prefix}{}", count.of);
        let (source, holds) = (Some(count.source.clone()), !name.starts_with("sns_messages_"));
        Limit { what, most: count.value, of_an_order, then, source, holds }
    };
    limits.map(limit).into()
}

/// The limits that are reached between two rates, the first one first.
fn reached(limits: &[Limit], below: f64, rate: f64) -> String {
    let between = |it: &&Limit| it.holds && below <= it.ends_at() && it.ends_at() < rate;
    let named = |it: &Limit| format!("{} ({})", it.what, grouped(it.ends_at()));
    let reached: Vec<_> = limits.iter().filter(between).map(named).collect();
    if reached.is_empty() { "nothing".to_owned() } else { reached.join("; ") }
}

fn row(name: &str, values: [f64; 4]) -> String {
    format!("| {name} | {} |\n", values.map(short).join(" | "))
}

/// A number, with as many places as it needs.
fn short(number: f64) -> String {
    match number {
        _ if number >= 10.0 || number.fract() == 0.0 => grouped(number),
        _ if number >= 0.1 => format!("{number:.2}").trim_end_matches('0').to_owned(),
        _ => format!("{number:.5}").trim_end_matches('0').to_owned(),
    }
}
