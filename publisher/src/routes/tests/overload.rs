//! What clients get while DynamoDB accepts calls and answers none.

use std::{sync::Arc, time::Duration};

use account::proxy::{Calls, Conditions, Fault, Outage, Proxy};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use orders::order::OrderId;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use web::gate::Gate;

use super::site::{Answer, Site, field};
use crate::{routes::App, test_account::TestAccount};

/// Fewer than in earnest: a test may open some hundred files on any machine.
const MAX_ORDERS: usize = 40;
const MAX_REQUESTS: usize = 20;
const LOOK_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// A site whose DynamoDB hangs until it is mended. Calls that it has taken stay without an answer.
struct Hanging {
    site: Arc<Site>,
    proxy: Proxy,
    under_way: JoinSet<Answer>,
}

impl Hanging {
    async fn start() -> Self {
        let account = TestAccount::start().await;
        let proxy = Proxy::start(account.aws.endpoint_url().unwrap(), Conditions::default()).await;
        let proxy = proxy.unwrap();
        let through = |aws: &aws_config::SdkConfig| {
            aws.clone().into_builder().endpoint_url(&proxy.url).build()
        };
        let site = Site::on(account, through).await;
        let app = App {
            placing: Gate::new("orders", MAX_ORDERS),
            asking: Gate::new("requests", MAX_REQUESTS),
            ..site.app.clone()
        };
        let site = Arc::new(site.with(app));
        let mentions = "TableName".to_owned();
        let of = vec![Calls { mentions, ..Calls::default() }];
        proxy.set_outages(vec![Outage::Calls { of, fault: Fault::Hang, percent: 100 }]);
        Self { site, proxy, under_way: JoinSet::new() }
    }

    fn order(&mut self) {
        let site = Arc::clone(&self.site);
        let order = json!({ "customer": "Ada", "amount": "42" });
        self.under_way.spawn(async move { site.post(None, &order).await });
    }

    fn read(&mut self) {
        let site = Arc::clone(&self.site);
        let path = format!("/orders/{}", OrderId::new());
        self.under_way.spawn(async move { site.page(&path).await });
    }

    /// Waits until DynamoDB has this many calls of an operation.
    async fn has_calls(&self, operation: &str, expected: usize) {
        let calls = || self.proxy.counts().calls.get(operation).copied().unwrap_or_default();
        let reached = timeout(PATIENCE, async {
            while calls() < expected as u64 {
                sleep(LOOK_EVERY).await;
            }
        });
        reached.await.unwrap_or_else(|_| panic!("{} calls of {operation}", calls()));
        assert_eq!(calls(), expected as u64, "{operation}");
    }
}

#[tokio::test]
async fn orders_beyond_the_limit_are_refused_at_once_and_everything_else_is_served() {
    let mut hanging = Hanging::start().await;
    for _ in 0..MAX_ORDERS {
        hanging.order();
    }
    hanging.has_calls("DynamoDB.PutItem", MAX_ORDERS).await;

    let id = OrderId::new().to_string();
    let form = hanging.site.submit(&id, "Ada Lovelace", "120").await;
    assert_eq!(form.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(form.headers[header::RETRY_AFTER], "5");
    assert!(form.body.contains("Too many orders are under way."), "{}", form.body);
    let kept = ["id", "customer", "total"].map(|name| field(&form.body, name));
    assert_eq!(kept, [&id, "Ada Lovelace", "120"]);
    let program = hanging.site.post(None, &json!({ "customer": "Ada", "amount": "42" })).await;
    assert_eq!(program.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(program.headers[header::RETRY_AFTER], "5");
    assert!(program.body.contains("Nothing was changed"), "{}", program.body);
    assert_eq!(hanging.site.page("/ping").await.body, "ok");
    assert_eq!(hanging.site.page("/").await.status, StatusCode::OK);

    // Readers have places of their own, and as few.
    for _ in 0..MAX_REQUESTS {
        hanging.read();
    }
    hanging.has_calls("DynamoDB.GetItem", MAX_REQUESTS).await;
    for path in ["/orders", "/flow", &format!("/orders/{id}"), &format!("/orders/{id}/events")] {
        let refused = hanging.site.page(path).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(refused.headers[header::RETRY_AFTER], "5", "{path}");
        assert!(refused.body.contains("Too many requests are under way."), "{}", refused.body);
    }
    let ping = Request::post("/ping").body(Body::empty()).unwrap();
    assert_eq!(hanging.site.send(ping).await.status, StatusCode::SERVICE_UNAVAILABLE);

    // Nothing of all that was sent to DynamoDB. When it answers again, one free place is enough.
    hanging.has_calls("DynamoDB.PutItem", MAX_ORDERS).await;
    hanging.proxy.set_outages(Vec::new());
    hanging.under_way.abort_all();
    while hanging.under_way.join_next().await.is_some() {}
    let accepted = hanging.site.submit(&id, "Ada Lovelace", "120").await;
    assert_eq!(accepted.status, StatusCode::SEE_OTHER, "{}", accepted.body);
}
