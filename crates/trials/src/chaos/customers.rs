//! Places orders as customers would: each is sent again with the same id until it is accepted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use orders::{
    idempotency::IdempotencyKey,
    order::{Amount, OrderId},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, StatusCode, redirect::Policy};
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

use super::args::Args;

/// The longest that a customer waits before sending again.
const MAX_PAUSE_MS: u64 = 300;
/// How long to wait for an answer: longer than a publisher takes to give up.
const TIMEOUT: Duration = Duration::from_secs(30);
/// After this many attempts, something other than the injected faults is wrong.
const MAX_ATTEMPTS: u32 = 1_000;

/// An order that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its id.
    pub id: OrderId,
    /// Its total.
    pub amount: Amount,
}

/// How many orders were accepted, and how many requests that took, so far.
#[derive(Default)]
pub struct Progress {
    accepted: AtomicU32,
    requests: AtomicU64,
}

impl Progress {
    /// How many orders were accepted.
    pub fn accepted(&self) -> u32 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many requests that took.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Places all orders with the publishers at `urls`, in turn.
pub async fn place_orders(
    args: &Args,
    urls: Vec<String>,
    progress: Arc<Progress>,
) -> anyhow::Result<Vec<Accepted>> {
    let client = client()?;
    let next = Arc::new(AtomicU32::new(0));
    let mut customers = JoinSet::new();
    for _ in 0..args.concurrency {
        let (client, urls, next) = (client.clone(), urls.clone(), Arc::clone(&next));
        let (progress, args) = (Arc::clone(&progress), args.clone());
        customers.spawn(async move {
            let mut accepted = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= args.orders {
                    return anyhow::Ok(accepted);
                }
                accepted.push(place(&client, &urls, args.seed, number, &progress).await?);
                progress.accepted.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut accepted = Vec::new();
    while let Some(done) = customers.join_next().await {
        accepted.extend(done??);
    }
    Ok(accepted)
}

/// An order that a customer wants to place.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The id that it will have.
    pub id: OrderId,
    /// Its total.
    pub amount: Amount,
    key: String,
    customer: String,
    as_form: bool,
}

/// The answer to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The order is accepted.
    Accepted,
    /// The publisher, or its connection, failed: the order may be sent again.
    Failed,
}

impl Wanted {
    /// The order with this number, drawn at random.
    ///
    /// # Errors
    ///
    /// None that is known of: what is drawn is an order.
    pub fn draw(seed: u64, number: u32) -> anyhow::Result<Self> {
        let name = format!("chaos {seed} {number}");
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_u64_pair().0;
        let mut random = StdRng::seed_from_u64(hash);
        let key = uuid::Builder::from_random_bytes(random.random()).into_uuid().to_string();
        let amount = Amount::from_cents(random.random_range(1..16_000)).context("an amount")?;
        let customer = format!("Customer {}", number % 50);
        let as_form = random.random_bool(0.5);
        let id = if as_form {
            OrderId::derived(&key)
        } else {
            let key: IdempotencyKey = key.parse()?;
            key.order(customer.parse()?, amount).id
        };
        Ok(Self { id, amount, key, customer, as_form })
    }

    /// Sends it once to the publisher at `url`.
    ///
    /// # Errors
    ///
    /// If the publisher rejects it.
    pub async fn send(&self, client: &Client, url: &str) -> anyhow::Result<Answer> {
        let Self { id, amount, key, customer, as_form } = self;
        let request = if *as_form {
            let fields = [
                ("id", id.to_string()),
                ("customer", customer.clone()),
                ("total", amount.to_string()),
            ];
            client.post(url).form(&fields)
        } else {
            let body = serde_json::json!({ "customer": customer, "amount": amount.to_string() });
            client.post(format!("{url}/orders")).header("idempotency-key", key).json(&body)
        };
        let Ok(response) = request.send().await else { return Ok(Answer::Failed) };
        match response.status() {
            StatusCode::SEE_OTHER | StatusCode::CREATED | StatusCode::OK => Ok(Answer::Accepted),
            status => {
                ensure!(status.is_server_error(), "order {id} was answered {status}");
                Ok(Answer::Failed)
            }
        }
    }
}

/// A client for orders, which does not follow redirects.
///
/// # Errors
///
/// If it cannot be made.
pub fn client() -> anyhow::Result<Client> {
    Ok(Client::builder().redirect(Policy::none()).timeout(TIMEOUT).build()?)
}

async fn place(
    client: &Client,
    urls: &[String],
    seed: u64,
    number: u32,
    progress: &Progress,
) -> anyhow::Result<Accepted> {
    let wanted = Wanted::draw(seed, number)?;
    for attempt in 0..MAX_ATTEMPTS {
        progress.requests.fetch_add(1, Ordering::Relaxed);
        let url = &urls[(number + attempt) as usize % urls.len()];
        if wanted.send(client, url).await? == Answer::Accepted {
            return Ok(Accepted { id: wanted.id, amount: wanted.amount });
        }
        // Without an answer, or after a server error, the same request is sent again.
        sleep(Duration::from_millis(rand::random_range(0..MAX_PAUSE_MS))).await;
    }
    anyhow::bail!("order {} was not accepted in {MAX_ATTEMPTS} attempts", wanted.id)
}
