//! From Copilot to `infrastructure/`: both systems run on the same tables, and the old one ends.

use std::{fs, process::Command};

use account::provision::Target;
use anyhow::ensure;
use local::build;

mod test_system;

use test_system::TestSystem;

type Outcome = anyhow::Result<()>;

const ROUNDS: usize = 10;

#[tokio::test]
async fn two_systems_share_orders_and_coupons_until_the_old_one_ends() -> Outcome {
    let mut old = TestSystem::start().await?;
    let directory = tempfile::tempdir()?;
    let files = directory.path().join("infrastructure");
    let from = build::copilot_directory().with_file_name("infrastructure");
    let copied = Command::new("cp").arg("-R").args([&from, &files]).status()?;
    ensure!(copied.success(), "the templates cannot be copied");
    let environment = files.join("environments/test");
    let orders = old.variable("publisher", "ORDERS_TABLE_NAME")?;
    let coupons = old.variable("promotion", "COUPONS_TABLE_NAME")?;
    let tables = format!("\npublisher.OrdersTable={orders}\npromotion.CouponsTable={coupons}\n");
    fs::write(&environment, fs::read_to_string(&environment)? + &tables)?;
    let (url, region) = (&old.system.target.endpoint_url, &old.system.target.region);
    let account = Target::elsewhere(url.clone(), region.clone());
    let new = TestSystem::start_at(Some(account), files, &[]).await?;
    assert_eq!(new.variable("publisher", "ORDERS_TABLE_NAME")?, orders);
    assert_eq!(new.variable("promotion", "COUPONS_TABLE_NAME")?, coupons);

    let mut ids = Vec::new();
    for _ in 0..ROUNDS {
        for system in [&old, &new] {
            ids.push(system.order("Ada", "120").await?);
            ids.push(system.order("Ada", "50").await?);
        }
    }
    let see_all = async |ids: &[String]| {
        for (place, id) in ids.iter().enumerate() {
            let has_coupon = place % 2 == 0;
            new.see_until(id, |order| {
                let shown = order.to_string().contains("20 % off your next order");
                order["is_done"] == true && shown == has_coupon
            })
            .await?;
        }
        anyhow::Ok(())
    };
    see_all(&ids).await?;
    // The domain leads to the new system, and the old one has nothing left to do.
    for service in ["publisher", "fulfilment", "promotion", "history"] {
        old.stop(service).await?;
    }
    ids.push(new.order("Ada", "120").await?);
    see_all(&ids).await?;
    assert_eq!(new.items("promotion", "COUPONS_TABLE_NAME").await?.len(), 2 * ROUNDS + 1);
    new.system.stop().await?;
    old.system.stop().await
}
