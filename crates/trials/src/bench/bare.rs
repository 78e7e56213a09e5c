//! Baseline (d): a process that does nothing but store items as large as orders, one call for each.

use std::{process::Stdio, time::Duration};

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use orders::order::OrderId;
use tokio::{process::Command, task::JoinSet, time::sleep};

use super::{
    progress::progress,
    rig::{Rig, Way},
    scale::Scale,
    stored::count,
};
use crate::usage::cpu_seconds;

/// The name of the command that is this process.
pub const COMMAND: &str = "store";
/// How many calls are under way at a time.
const AT_ONCE: usize = 16;
/// The calls before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(500);

/// The processor time of a call, in microseconds, with one thread as the services have; `None`
/// without `/proc`.
///
/// # Errors
///
/// If the process does not start.
pub async fn call_micros(rig: &Rig, way: Way, scale: Scale) -> anyhow::Result<Option<f64>> {
    progress("a bare call");
    let child = Command::new(std::env::current_exe().context("finding this executable")?)
        .arg(COMMAND)
        .env_clear()
        .envs(rig.variables(way))
        .env("TABLE", rig.orders_table()?)
        .env("TOKIO_WORKER_THREADS", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting the bare calls")?;
    let pid = child.id().context("the bare calls have ended")?.try_into()?;
    sleep(WARM_UP).await;
    let table = rig.orders_table()?;
    let (stored, used) = (count(rig, table).await?, cpu_seconds(pid));
    sleep(Duration::from_secs(scale.load_seconds)).await;
    let Some(used) = cpu_seconds(pid).zip(used).map(|(after, before)| after - before) else {
        return Ok(None);
    };
    Ok(Some(1e6 * used / (count(rig, table).await? - stored) as f64))
}

/// Stores items in `TABLE`, until it is killed.
///
/// # Errors
///
/// If the variable is missing, or a call fails.
pub async fn store() -> anyhow::Result<()> {
    let table = std::env::var("TABLE").context("TABLE is the name of a table")?;
    let dynamodb = Client::new(&pubsub::aws::config().await);
    let mut storing = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (dynamodb, table) = (dynamodb.clone(), table.clone());
        storing.spawn(async move {
            loop {
                put(&dynamodb, &table).await?;
            }
        });
    }
    storing.join_next().await.context("nothing is stored")??
}

async fn put(dynamodb: &Client, table: &str) -> anyhow::Result<()> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    dynamodb
        .put_item()
        .table_name(table)
        .item("id", text(&OrderId::new().to_string()))
        .item("customer", text("Ada Lovelace"))
        .item("amount", AttributeValue::N("42.00".to_owned()))
        .send()
        .await?;
    Ok(())
}
