//! A bill: what each part costs in a month, at a rate of orders.

use super::list::Numbers;

/// Hours of a month, as AWS computes them.
const HOURS: f64 = 730.0;
const SECONDS: f64 = HOURS * 3_600.0;
const MINUTES: f64 = HOURS * 60.0;
const DAY_SECONDS: f64 = 86_400.0;
const KB_OF_GB: f64 = 1_000_000.0;
/// Orders a second from which on requests share.
const MANY: f64 = 1_000.0;
/// Connections a second, and GB an hour, of a capacity unit of the load balancer.
const UNIT_CONNECTIONS: f64 = 25.0;
/// Zones of the network.
const ZONES: f64 = 2.0;
/// The processor and the memory of a task.
const TASK: (f64, f64) = (0.25, 0.5);
/// The workers fulfilment, promotion and history, and how many messages an order has for each.
const WORKERS: [f64; 3] = [1.0, 0.5, 2.5];
/// How many shards there are of the outbox of orders, if nobody sets `ORDERS_SHARDS`, and of the
/// outbox of webhooks.
const SHARDS: (f64, f64) = (4.0, 1.0);
/// What is written for an order, history included.
const WRITES: [&str; 6] = [
    "orders_writes",
    "outbox_writes",
    "latest_writes",
    "coupon_writes",
    "event_writes",
    "event_index_writes",
];

/// Who describes the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `copilot/`: tasks in public subnets.
    Copilot,
    /// `infrastructure/`: tasks in private subnets with NAT gateways, which is the default.
    Infrastructure,
}

/// A month.
#[derive(Clone, Debug)]
pub struct Month<'a> {
    /// Prices and counts.
    pub numbers: &'a Numbers,
    /// Who describes the system.
    pub layout: Layout,
    /// Orders a second, all month.
    pub rate: f64,
    /// How many metrics the alarms for people watch.
    pub alarms: f64,
}

/// A line of a bill, in US dollars.
pub type Line = (&'static str, f64);

impl Month<'_> {
    fn of(&self, name: &str) -> f64 {
        self.numbers.get(name)
    }

    /// How many orders it has.
    pub fn orders(&self) -> f64 {
        self.rate * SECONDS
    }

    fn is_copilot(&self) -> bool {
        self.layout == Layout::Copilot
    }

    /// Tasks of the publisher.
    fn publishers(&self) -> f64 {
        self.tasks(self.of("publisher_ms")).max(1.0)
    }

    /// Tasks of all workers: none without messages.
    fn workers(&self) -> f64 {
        self.tasks_of_workers().iter().sum()
    }

    fn tasks_of_workers(&self) -> [f64; 3] {
        WORKERS.map(|messages| self.tasks(messages * self.of("worker_ms")))
    }

    /// Tasks of the publisher, fulfilment, promotion and history.
    pub fn services(&self) -> [f64; 4] {
        let [fulfilment, promotion, history] = self.tasks_of_workers();
        [self.publishers(), fulfilment, promotion, history]
    }

    /// Tasks whose processors do so many milliseconds of work for each order.
    fn tasks(&self, milliseconds: f64) -> f64 {
        (self.rate * milliseconds / 1_000.0 / self.of("busy")).ceil()
    }

    /// Requests of an order to `service`, which share one another at a high rate.
    pub fn requests(&self, service: &str) -> f64 {
        let which = if self.rate >= MANY { "many" } else { "few" };
        self.of(&format!("{service}_{which}"))
    }

    fn balancer(&self) -> f64 {
        let gb_an_hour = self.rate * self.of("page_kb") / KB_OF_GB * 3_600.0;
        let units = (self.rate / UNIT_CONNECTIONS).max(gb_an_hour);
        HOURS * (self.of("balancer_hour") + units * self.of("balancer_unit_hour"))
    }

    fn compute(&self) -> f64 {
        let (processor, memory) = TASK;
        let hour =
            processor * self.of("fargate_processor_hour") + memory * self.of("fargate_memory_hour");
        (self.publishers() + self.workers()) * hour * HOURS
    }

    fn addresses(&self) -> f64 {
        let tasks = self.publishers() + self.workers();
        let others = if self.is_copilot() { tasks } else { ZONES };
        (ZONES + others) * self.of("address_hour") * HOURS
    }

    fn network(&self) -> f64 {
        if self.is_copilot() {
            return 0.0;
        }
        let gb = self.orders() * self.of("aws_kb") / KB_OF_GB;
        ZONES * self.of("nat_hour") * HOURS + gb * self.of("nat_gb")
    }

    fn stored_gb(&self) -> f64 {
        self.rate * DAY_SECONDS * self.of("keep_days") * self.of("item_kb") / KB_OF_GB
    }

    fn dynamodb_requests(&self) -> f64 {
        let writes = self.orders() * WRITES.map(|name| self.of(name)).iter().sum::<f64>();
        let is_idle = self.orders() == 0.0;
        let reads = if is_idle { self.of("idle_reads_minute") } else { self.sweep_reads_minute() };
        writes * self.of("dynamodb_write") + MINUTES * reads * self.of("dynamodb_read")
    }

    /// How many shards of the outbox the orders need.
    pub fn shards(&self) -> f64 {
        (self.rate * self.of("outbox_writes") / self.of("partition_writes")).ceil()
    }

    /// Read units of the sweeps: every task of the publisher looks into every shard.
    pub fn sweep_reads_minute(&self) -> f64 {
        let (orders, webhooks) = SHARDS;
        let shards = self.shards().max(orders) + webhooks;
        self.publishers() * shards * self.of("shard_reads_minute")
    }

    fn dynamodb_storage(&self) -> f64 {
        let price = self.of("dynamodb_gb_month") + self.of("dynamodb_recovery_gb_month");
        self.stored_gb() * price
    }

    fn sqs(&self) -> f64 {
        let price = self.of("sqs_request") + self.of("sqs_fair");
        // Without messages there are no workers, and the publisher polls for reports.
        let polled = 1.0 + if self.rate > 0.0 { WORKERS.len() as f64 } else { 0.0 };
        let polls = polled * self.of("polls_minute") * MINUTES * self.of("sqs_request");
        self.orders() * self.requests("sqs") * price + polls
    }

    /// Logs of the services, and of the collectors.
    fn logs(&self) -> f64 {
        let lines = self.orders() * self.of("log_kb") / KB_OF_GB;
        let tasks = self.publishers() + self.workers();
        let metrics = tasks * self.of("metric_kb_minute") * MINUTES / KB_OF_GB;
        let kept = self.of("log_gb_month") * self.of("log_days") / 30.0;
        (lines + metrics) * (self.of("log_gb") + kept)
    }

    fn metrics(&self) -> f64 {
        let series = self.of("publisher_series") + WORKERS.len() as f64 * self.of("worker_series");
        series * self.of("metric_month")
    }

    fn traces(&self) -> f64 {
        self.orders() * self.of("sampled") * self.of("trace")
    }

    fn all_alarms(&self) -> f64 {
        let scaling = self.of("scaling_alarms_publisher")
            + WORKERS.len() as f64 * self.of("scaling_alarms_worker");
        (self.alarms + scaling) * self.of("alarm_month")
    }

    /// Keys, secrets, a DNS zone, Copilot's functions.
    fn small(&self) -> f64 {
        if !self.is_copilot() {
            return self.of("secret_month");
        }
        let calls = WORKERS.len() as f64 * self.of("lambda_calls_month");
        // An eighth of a GB for a second.
        let functions = calls * (self.of("lambda_request") + 0.125 * self.of("lambda_gb_second"));
        4.0 * self.of("key_month") + self.of("zone_month") + functions
    }

    fn build(&self) -> f64 {
        if !self.is_copilot() {
            return 0.0;
        }
        let minutes = self.of("builds_month") * self.of("build_minutes");
        self.of("pipeline_month") + minutes * self.of("build_minute")
    }

    fn insights(&self) -> f64 {
        if self.is_copilot() { self.of("insights_month_usd") } else { 0.0 }
    }

    /// What telemetry costs, of the whole bill.
    pub fn telemetry(&self) -> [Line; 3] {
        [("logs", self.logs()), ("metrics", self.metrics()), ("traces", self.traces())]
    }

    /// The sum of the bill, in US dollars.
    pub fn sum(&self) -> f64 {
        self.lines().iter().map(|(_, usd)| usd).sum()
    }

    /// The whole bill.
    pub fn lines(&self) -> Vec<Line> {
        let internet = self.orders() * self.of("page_kb") / KB_OF_GB * self.of("internet_gb");
        vec![
            ("load balancer", self.balancer()),
            ("tasks", self.compute()),
            ("public addresses", self.addresses()),
            ("NAT gateways, and what passes them", self.network()),
            ("DynamoDB, requests", self.dynamodb_requests()),
            ("DynamoDB, 90 days of orders and events, with recovery", self.dynamodb_storage()),
            ("SNS", self.orders() * self.requests("sns") * self.of("sns_request")),
            ("SQS, fair queues", self.sqs()),
            ("logs", self.logs()),
            ("metrics", self.metrics()),
            ("traces, one in twenty", self.traces()),
            ("alarms", self.all_alarms()),
            ("dashboard", self.of("dashboard_month")),
            ("Container Insights", self.insights()),
            ("keys, secrets, DNS, Copilot's functions", self.small()),
            ("registry", self.of("images_gb") * self.of("registry_gb_month")),
            ("build", self.build()),
            ("answers to customers", internet),
        ]
    }
}
