//! The form: what it suggests, and what it shows again.

use axum::http::{StatusCode, header};
use orders::order::{Amount, CustomerName, OrderId};

use super::site::{OFFER, Site, field};
use crate::test_account::TestAccount;

#[tokio::test]
async fn the_form_suggests_an_order_that_can_be_sent_as_it_is() {
    let site = Site::start().await;
    let form = site.page("/").await;
    assert_eq!(form.status, StatusCode::OK);
    assert_eq!(form.headers[header::CACHE_CONTROL], "no-store");
    assert!(form.body.contains(OFFER), "{}", form.body);
    let [id, customer, total] = ["id", "customer", "total"].map(|name| field(&form.body, name));
    id.parse::<OrderId>().unwrap();
    let amount: Amount = total.parse().unwrap();
    let decimals = total.split_once('.').map(|(_, decimals)| decimals.len());
    assert_eq!(decimals, Some(2), "{total}");
    let limits = ["1", "159"].map(|limit| limit.parse::<Amount>().unwrap());
    assert!((limits[0]..limits[1]).contains(&amount), "{total}");
    // A name may have an apostrophe, which the page escapes.
    customer.replace("&#39;", "'").parse::<CustomerName>().unwrap();

    let sent = site.submit(id, &customer.replace("&#39;", "'"), total).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    assert_eq!(sent.headers[header::LOCATION], format!("/orders/{id}"));
    let other = site.page("/").await;
    assert_ne!(field(&other.body, "id"), id, "two forms have the same id");
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_and_says_what_is_wrong() {
    let site = Site::start().await;
    let id = OrderId::new().to_string();
    let refused = site.submit(&id, "", "much").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for sentence in ["Enter the customer", "A total is a number such as 80 or 79.99.", OFFER] {
        assert!(refused.body.contains(sentence), "no {sentence:?} on {}", refused.body);
    }
    assert_eq!(field(&refused.body, "id"), id);
    assert_eq!(field(&refused.body, "total"), "much");
    let invisible = site.submit(&id, "\u{200b}\u{2060}", "42").await;
    assert!(invisible.body.contains("Enter the customer"), "{}", invisible.body);
    let named = site.submit(&id, "Ada Lovelace", "much").await;
    assert_eq!(field(&named.body, "customer"), "Ada Lovelace");
    assert!(!named.body.contains("Enter the customer"), "{}", named.body);
}

#[tokio::test]
async fn a_damaged_id_is_replaced_and_explained() {
    let site = Site::start().await;
    let refused = site.submit("damaged", "Ada", "42").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("An order id is a UUID"), "{}", refused.body);
    let id = field(&refused.body, "id");
    id.parse::<OrderId>().unwrap();
    assert_eq!(site.submit(id, "Ada", "42").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_longest_order_is_accepted_and_a_page_of_text_is_not() {
    let site = Site::start().await;
    let id = OrderId::new().to_string();
    // Twelve bytes for each character, in a form.
    let longest = "\u{1f600}".repeat(CustomerName::MAX_CHARS);
    let accepted = site.submit(&id, &longest, "999999999.99").await;
    assert_eq!(accepted.status, StatusCode::SEE_OTHER, "{}", accepted.body);
    let refused = site.submit(&id, &"x".repeat(6_000), "42").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", refused.body);
}

#[tokio::test]
async fn the_same_form_is_one_order_and_another_one_gets_a_form_of_its_own() {
    let site = Site::start().await;
    let id = OrderId::new().to_string();
    for total in ["42", "42.00"] {
        let sent = site.submit(&id, "Ada", total).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    }
    let other = site.submit(&id, "Ada", "43").await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    for shown in ["This form was sent before, as another order", &format!("/orders/{id}"), OFFER] {
        assert!(other.body.contains(shown), "no {shown} on {}", other.body);
    }
    assert_eq!(site.account.items().await.len(), 1);
    let [new, customer, total] = ["id", "customer", "total"].map(|it| field(&other.body, it));
    assert_eq!((customer, total), ("Ada", "43"));
    let sent = site.submit(new, customer, total).await;
    assert_eq!(sent.headers[header::LOCATION], format!("/orders/{new}"));
    assert_eq!(site.account.items().await.len(), 2);
}

#[tokio::test]
async fn while_the_table_is_unavailable_the_form_can_be_sent_again() {
    // Nothing listens on port 1.
    let unreachable = |aws: &aws_config::SdkConfig| {
        let retries = aws_config::retry::RetryConfig::disabled();
        let aws = aws.clone().into_builder().endpoint_url("http://127.0.0.1:1");
        aws.retry_config(retries).build()
    };
    let site = Site::on(TestAccount::start().await, unreachable).await;
    let id = OrderId::new().to_string();
    let failed = site.submit(&id, "Ada", "42").await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(failed.headers[header::RETRY_AFTER], "5");
    for shown in ["Sending again is safe: it will be the same order.", OFFER] {
        assert!(failed.body.contains(shown), "no {shown:?} on {}", failed.body);
    }
    let [kept, customer, total] = ["id", "customer", "total"].map(|it| field(&failed.body, it));
    assert_eq!((kept, customer, total), (id.as_str(), "Ada", "42"));
}
