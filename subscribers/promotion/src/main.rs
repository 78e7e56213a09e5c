//! Rewards large orders with a coupon.

use std::process::ExitCode;

use clap::Parser;
use orders::{
    keep::Keep,
    report::{Reporter, STATUS_TOPIC},
};
use pubsub::{Worker, limits::between};

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
    /// For how many days a coupon is kept; 0 is for ever
    #[arg(long, value_name = "DAYS", env = "KEEP_COUPONS_DAYS", default_value_t = 90)]
    #[arg(value_parser = between::<u32>(0, 3_650))]
    keep_coupons_days: u32,
}

fn main() -> ExitCode {
    Worker::new().run(async |settings: Settings, startup| {
        let keep = Keep::days(settings.keep_coupons_days);
        Ok(Promotion {
            reporter: Reporter::new(env!("CARGO_PKG_NAME"), startup.topic(STATUS_TOPIC)?),
            coupons: CouponsTable::new(startup.aws(), settings.coupons_table_name, keep),
            keep,
        })
    })
}
