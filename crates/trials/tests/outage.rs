//! An outage of what the workers depend on: it costs time, and nothing else.

use account::{
    endpoint,
    proxy::{Calls, Conditions, Fault, Outage, Proxy},
};
use local::build;

mod test_system;

use test_system::{SEED, TestSystem};

type Outcome = anyhow::Result<()>;

/// How many orders come in while the workers can neither report nor store coupons.
const ORDERS: usize = 60;

#[tokio::test]
async fn orders_of_an_outage_are_fulfilled_after_it_and_none_is_a_dead_letter() -> Outcome {
    let account = endpoint::start(&endpoint::Settings::loopback(0).like_aws(SEED)).await?;
    let proxy = Proxy::start(&account.url, Conditions::default()).await?;
    let copilot = build::copilot_directory();
    let mut test =
        TestSystem::start_at(Some(account.target_through(&proxy.url)), copilot, &[]).await?;

    let mentioning = |it: &str| Calls { mentions: it.to_owned(), ..Calls::default() };
    let of = ["orderStatus", "couponsTable"].map(mentioning).to_vec();
    proxy.set_outages(vec![Outage::Calls { of, fault: Fault::Throttle, percent: 100 }]);
    let mut ids = Vec::new();
    for _ in 0..ORDERS {
        ids.push(test.order("Ada Lovelace", "80").await?);
    }
    for worker in ["fulfilment", "promotion"] {
        test.logged(worker, &["dependencies are unavailable; not receiving"]).await?;
        // A deployment in the middle of it.
        test.stop(worker).await?;
        test.system.start_service(worker)?;
        test.logged(worker, &["dependency is unavailable; the message is kept", "attempt=2"])
            .await?;
    }
    for worker in ["fulfilment", "promotion"] {
        test.dead_letters(worker, 0).await?;
    }

    proxy.set_outages(Vec::new());
    for id in &ids {
        test.see_until(id, |order| order["is_done"] == true).await?;
        test.logged("promotion", &["coupon granted", id]).await?;
    }
    assert_eq!(test.items("promotion", "COUPONS_TABLE_NAME").await?.len(), ORDERS);
    for worker in ["fulfilment", "promotion"] {
        test.dead_letters(worker, 0).await?;
    }
    test.system.stop().await
}
