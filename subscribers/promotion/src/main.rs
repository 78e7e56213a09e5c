//! Rewards large orders with a coupon.

use std::process::ExitCode;

use pubsub::{
    Program, env,
    status::Reporter,
    subscribe::{Settings, subscribe},
};
use tokio_util::sync::CancellationToken;

mod promote;

mod coupons_table;

mod coupon;

use coupons_table::CouponsTable;
use promote::Promotion;

const VARIABLES: [(&str, &str); 6] = {
    let [queue, health, in_flight, wait] = Settings::VARIABLES;
    let coupons = ("COUPONS_TABLE_NAME", "the DynamoDB table of coupons");
    let topics = ("COPILOT_SNS_TOPIC_ARNS", "the topic, as JSON: orderStatus");
    [queue, topics, coupons, health, in_flight, wait]
};

const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    about: "Makes one coupon for every announced order of 80 or more.",
    health_port: Settings::HEALTH_PORT,
    health_path: "/",
    variables: &VARIABLES,
};

fn main() -> ExitCode {
    pubsub::run(&PROGRAM, serve)
}

async fn serve(shutdown: CancellationToken) -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    let table_name = env::required("COUPONS_TABLE_NAME")?;
    let aws = pubsub::aws::config().await;
    let reporter = Reporter::from_env(&aws, PROGRAM.name)?;
    let promotion = Promotion { reporter, coupons: CouponsTable::new(&aws, table_name) };
    subscribe(&aws, settings, shutdown, move |notification| promotion.clone().handle(notification))
        .await
}
