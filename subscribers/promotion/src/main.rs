//! Rewards large orders with a coupon.

use std::process::ExitCode;

use clap::Parser;
use orders::report::{Reporter, STATUS_TOPIC};
use pubsub::{
    aws,
    subscribe::{self, WorkerSettings, subscribe},
    topics::Topics,
};

mod promote;

mod coupons_table;

mod coupon;

use coupons_table::CouponsTable;
use promote::Promotion;

/// Grants one coupon for every order that its filter policy matches
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    worker: WorkerSettings,
    #[command(flatten)]
    topics: Topics,
    /// The DynamoDB table of coupons
    #[arg(long, value_name = "TABLE", env = "COUPONS_TABLE_NAME")]
    coupons_table_name: String,
}

fn main() -> ExitCode {
    pubsub::run(subscribe::HEALTH, async |settings: Settings, shutdown| {
        let aws = aws::config().await;
        let topic = settings.topics.topic(&aws, STATUS_TOPIC)?;
        let promotion = Promotion {
            reporter: Reporter::new(env!("CARGO_PKG_NAME"), topic),
            coupons: CouponsTable::new(&aws, settings.coupons_table_name),
        };
        let handle = move |notification| promotion.clone().handle(notification);
        subscribe(&aws, settings.worker, shutdown, handle).await
    })
}
