//! What an order costs in requests to AWS: it must not grow unnoticed.

use trials::bench::requests_at_load;

const ORDERS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_takes_few_requests() {
    let requests = requests_at_load(ORDERS).await.unwrap();
    let calls = &requests.calls;
    let exactly = |operation: &str, per_two_orders: usize| {
        let made = calls.get(operation).copied().unwrap_or_default();
        assert_eq!(made, (ORDERS / 2 * per_two_orders) as u64, "{operation}: {calls:?}");
    };
    // Every order is stored, and every other one has a coupon.
    exactly("DynamoDB.PutItem", 3);
    // It is announced; and fulfilment tells of each, promotion of every other one.
    exactly("DynamoDB.UpdateItem", 5);
    // The rest depends a little on how full batches are: 5.05 on the day of writing.
    assert!(requests.per_order("") <= 5.5, "{calls:?}");
}
