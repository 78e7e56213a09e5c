//! What an open page costs, and what it shows without paying for it. Time is simulated.

use std::time::Duration;

use super::*;

/// How many requests a second reading the orders of the sample takes: one for each of four shards,
/// one for their number, and one for the orders themselves.
const ORDERS_REQUESTS: usize = 6;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The requests of a minute in which pages look each second, after they were open for a minute.
async fn of_a_minute(pages: u32) -> usize {
    let account = Scripted::new(WORKERS, OF_WEBHOOKS);
    let (flow, mut open) = (account.flow(), JoinSet::new());
    for page in 0..pages {
        let (flow, requests) = (flow.clone(), Arc::clone(&account.requests));
        open.spawn(async move {
            sleep(Duration::from_millis(137) * page).await;
            loop {
                let requests = Arc::clone(&requests);
                let read = || async move {
                    requests.fetch_add(ORDERS_REQUESTS, Ordering::SeqCst);
                    Ok(Vec::new())
                };
                flow.picture(read, ORDERS_REQUESTS).await.unwrap();
                sleep(LOOK_EVERY).await;
            }
        });
    }
    sleep(Duration::from_secs(60)).await;
    let before = account.requests.load(Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    account.requests.load(Ordering::SeqCst) - before
}

#[tokio::test(start_paused = true)]
async fn an_open_page_costs_at_most_three_requests_a_second_and_five_pages_cost_the_same() {
    let (none, one, five) = (of_a_minute(0).await, of_a_minute(1).await, of_a_minute(5).await);
    assert_eq!(none, 0);
    assert!((60..=180).contains(&one), "one page: {one} requests a minute");
    assert!((60..=180).contains(&five), "five pages: {five} requests a minute");
}

#[tokio::test(start_paused = true)]
async fn what_this_process_changes_is_shown_at_once_and_read_by_nobody() {
    let account = Scripted::new(WORKERS, &[]);
    let flow = account.flow();
    // Nobody looks yet.
    flow.changed(|| panic!("nobody looks"));
    assert_eq!(seen(&flow, &[order("read", 1)]).await["dots"].as_array().unwrap().len(), 1);
    let before = account.requests.load(Ordering::SeqCst);
    let mut changed = order("changed", 1);
    for version in 1..=2 {
        changed.version = version;
        changed.announced = version == 2;
        flow.changed(|| changed.clone());
        let picture = flow.picture(|| async { panic!("it was read just now") }, 5).await.unwrap();
        let picture = serde_json::to_value(picture).unwrap();
        let dots = picture["dots"].as_array().unwrap();
        assert_eq!((dots.len(), &dots[1]["order"]), (2, &json!("changed")), "{picture}");
        // Beside the other one, which waits to be announced; then at its queue.
        let expected = if version == 1 { 41 } else { 645 };
        assert_eq!(dots[1]["x"], expected, "{picture}");
    }
    assert_eq!(account.requests.load(Ordering::SeqCst), before);
}

#[tokio::test(start_paused = true)]
async fn an_older_state_that_is_read_late_does_not_take_a_dot_back() {
    let flow = Scripted::new(WORKERS, &[]).flow();
    let old = order("one", 1);
    seen(&flow, std::slice::from_ref(&old)).await;
    flow.changed(|| Moving { version: 2, announced: true, ..old.clone() });
    let at_the_queue = seen(&flow, &[]).await;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(seen(&flow, &[old]).await["dots"], at_the_queue["dots"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_after_a_while_sees_what_is_read_then() {
    let flow = Scripted::new(WORKERS, &[]).flow();
    seen(&flow, &[order("one", 1)]).await;
    sleep(Duration::from_secs(20)).await;
    flow.changed(|| panic!("nobody looks any more"));
    let dots = seen(&flow, &[order("two", 1)]).await["dots"].clone();
    let orders: Vec<_> = dots.as_array().unwrap().iter().map(|dot| &dot["order"]).collect();
    assert_eq!(orders, [&json!("two")]);
}

#[tokio::test(start_paused = true)]
async fn the_latest_sixty_orders_are_shown() {
    let flow = Scripted::new(WORKERS, &[]).flow();
    seen(&flow, &[]).await;
    let start = Timestamp::now();
    for number in 0..100_u32 {
        let placed_at = start + Duration::from_micros(u64::from(number));
        flow.changed(|| Moving { placed_at, ..order(&number.to_string(), 1) });
    }
    let dots = seen(&flow, &[]).await["dots"].clone();
    let orders: Vec<_> = dots.as_array().unwrap().iter().map(|dot| &dot["order"]).collect();
    assert_eq!((orders.len(), orders[0], orders[59]), (60, &json!("40"), &json!("99")));
}
