//! Rewards large orders with a coupon.

use std::process::ExitCode;

use clap::Parser;
use orders::report::{Reporter, STATUS_TOPIC};
use pubsub::Worker;

mod promote;

mod coupons_table;

mod coupon;

use coupons_table::CouponsTable;
use promote::Promotion;

/// Grants one coupon for every order that its filter policy matches
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// The DynamoDB table of coupons
    #[arg(long, value_name = "TABLE", env = "COUPONS_TABLE_NAME")]
    coupons_table_name: String,
}

fn main() -> ExitCode {
    Worker::new().run(async |settings: Settings, startup| {
        Ok(Promotion {
            reporter: Reporter::new(env!("CARGO_PKG_NAME"), startup.topic(STATUS_TOPIC)?),
            coupons: CouponsTable::new(startup.aws(), settings.coupons_table_name),
        })
    })
}
