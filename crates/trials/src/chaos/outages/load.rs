//! Places orders at a steady rate. An order that is refused is not sent again, so that each cell
//! counts what a customer meets who tries once.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

use super::ledger::Ledger;
use crate::chaos::{arena::Arena, customers};

/// How many orders are placed, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The seed of the orders.
    pub seed: u64,
    /// Orders a second.
    pub rate: u32,
    /// How long.
    pub time: Duration,
}

/// Places orders with the publishers at `urls`, in turn, and returns when all are answered.
///
/// # Errors
///
/// If one is rejected for what it says.
pub async fn place(
    load: Load,
    arena: Arc<Arena>,
    urls: Vec<String>,
    ledger: Arc<Ledger>,
) -> anyhow::Result<()> {
    let client = customers::client()?;
    let end = Instant::now() + load.time;
    let mut due = interval(Duration::from_secs(1) / load.rate);
    let mut open = JoinSet::new();
    for number in 0.. {
        if due.tick().await >= end {
            break;
        }
        let order = customers::Wanted::draw(load.seed, number)?;
        ledger.sent(order.id, order.amount, arena.earns_coupon(order.amount));
        let (client, ledger) = (client.clone(), Arc::clone(&ledger));
        let url = urls[number as usize % urls.len()].clone();
        open.spawn(async move {
            let answer = order.send(&client, &url).await?;
            ledger.answered(order.id, answer);
            anyhow::Ok(())
        });
        while let Some(answered) = open.try_join_next() {
            answered??;
        }
    }
    while let Some(answered) = open.join_next().await {
        answered??;
    }
    Ok(())
}
