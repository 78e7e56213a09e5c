//! The services as processes, which are killed with SIGTERM or SIGKILL and started again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use account::provision::Service;
use deployment::description::Kind;
use local::{port, process::Line, task::Task};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::mpsc::UnboundedSender,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{arena::Arena, args::Args, customers::Progress};
use crate::usage::peak_memory_mb;

/// What ECS gives a task between SIGTERM and SIGKILL: `StopTimeout` in the overrides.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// The variables with credentials that do not change.
pub const FIXED_CREDENTIALS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// By this variable ECS tells a task where its credentials are.
const CREDENTIALS_URL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// In how many shards publishers store, one after another: whoever starts again has another number
/// than before, and finds what the others left.
const SHARDS: [&str; 3] = ["8", "4", "2"];

/// All processes.
pub struct Fleet {
    replicas: Vec<Replica>,
}

/// A process of a service.
struct Replica {
    service: Service,
    /// Its kills, each after a number of accepted orders, in ascending order.
    kills: Vec<(u32, Signal)>,
    task: Task,
    starts: usize,
    binaries: PathBuf,
    lines: UnboundedSender<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Signal {
    Sigterm,
    Sigkill,
}

/// How many processes were killed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kills {
    /// With SIGTERM.
    pub sigterm: usize,
    /// With SIGKILL.
    pub sigkill: usize,
    /// Those with SIGTERM that then had to be killed, or exited with another code than 0.
    pub unclean: usize,
}

/// The replicas of a service. There are two publishers: each announces what the other left behind.
fn replicas(service: &Service) -> usize {
    if service.kind == Kind::Web { 2 } else { 1 }
}

impl Fleet {
    /// Starts every service of the account behind the proxy, and waits until all are healthy.
    pub async fn start(arena: &Arena) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for service in &arena.account.services {
            for _ in 0..replicas(service) {
                all.push(Replica::start(arena, service.clone())?);
            }
        }
        for replica in &all {
            replica.task.healthy().await?;
        }
        Ok(Self { replicas: all })
    }

    /// Draws when to kill which process.
    pub fn draw_kills(&mut self, args: &Args) {
        let mut number_of = BTreeMap::new();
        for (index, replica) in self.replicas.iter_mut().enumerate() {
            // The replicas of a service share its kills.
            let replicas = replicas(&replica.service);
            let number = number_of.entry(replica.service.name.clone()).or_insert(0);
            let one_more = usize::from(*number < args.kills() % replicas);
            *number += 1;
            let seed = args.seed.wrapping_mul(31) + index as u64;
            replica.kills = draw_kills(args.kills() / replicas + one_more, args.orders, seed);
        }
    }

    /// The URLs of the publishers.
    pub fn urls(&self) -> Vec<String> {
        let publishers = self.replicas.iter().filter(|it| it.service.name == "publisher");
        publishers.map(|replica| format!("http://127.0.0.1:{}", replica.task.port)).collect()
    }

    /// Kills as drawn, while orders are accepted.
    pub async fn kill_during(&mut self, progress: &Arc<Progress>) -> anyhow::Result<Kills> {
        let mut killers = JoinSet::new();
        for mut replica in self.replicas.drain(..) {
            let progress = Arc::clone(progress);
            killers.spawn(async move {
                let mut counts = Kills::default();
                for (when, signal) in std::mem::take(&mut replica.kills) {
                    while progress.accepted() < when {
                        sleep(Duration::from_millis(5)).await;
                    }
                    replica.kill(signal, &mut counts).await?;
                }
                anyhow::Ok((replica, counts))
            });
        }
        let mut total = Kills::default();
        while let Some(done) = killers.join_next().await {
            let (replica, counts) = done??;
            self.replicas.push(replica);
            total.sigterm += counts.sigterm;
            total.sigkill += counts.sigkill;
            total.unclean += counts.unclean;
        }
        Ok(total)
    }

    /// Kills one process of each service with SIGKILL, and starts it again.
    pub async fn kill_one_of_each(&mut self) -> anyhow::Result<()> {
        let mut killed = BTreeSet::new();
        for replica in self.replicas.iter_mut().rev() {
            if killed.insert(replica.service.name.clone()) {
                replica.task.process.kill();
                replica.task.process.wait().await?;
                replica.restart()?;
            }
        }
        Ok(())
    }

    /// The most memory that a running process has used so far, in MB; none if the system does not
    /// say.
    pub fn peak_memory_mb(&self) -> Option<f64> {
        let peaks = self.replicas.iter().filter_map(|it| peak_memory_mb(it.task.process.pid()));
        peaks.reduce(f64::max)
    }

    /// Stops all processes; returns how many of them did not exit cleanly.
    pub async fn stop(mut self) -> anyhow::Result<usize> {
        let mut unclean = 0;
        for replica in &mut self.replicas {
            replica.task.process.terminate();
        }
        for replica in &mut self.replicas {
            unclean += usize::from(!replica.exited_cleanly().await?);
        }
        Ok(unclean)
    }
}

/// When to kill, by the number of accepted orders, and with which signal.
fn draw_kills(count: usize, orders: u32, seed: u64) -> Vec<(u32, Signal)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills: Vec<_> = (0..count)
        .map(|_| {
            let when = random.random_range(0..orders);
            (when, if random.random_bool(0.5) { Signal::Sigterm } else { Signal::Sigkill })
        })
        .collect();
    kills.sort_unstable();
    kills
}

impl Replica {
    fn start(arena: &Arena, mut service: Service) -> anyhow::Result<Self> {
        let changed = [
            ("AWS_ENDPOINT_URL", arena.proxy.url.as_str()),
            // SIGTERM waits for the poll, so polls are short.
            ("RECEIVE_WAIT_SECONDS", "1"),
            ("LOG_FORMAT", "text"),
            ("BANNER", "off"),
        ];
        let changed = changed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        service.variables.extend(changed);
        if let Some(url) = &arena.credentials {
            // Fixed credentials would go first.
            service.variables.retain(|name, _| !FIXED_CREDENTIALS.contains(&name.as_str()));
            let url = format!("{url}/{}", service.name);
            service.variables.insert(CREDENTIALS_URL.to_owned(), url);
        }
        let (binaries, lines) = (arena.binaries.clone(), arena.lines.clone());
        let task =
            Task::start(&service, port::free(0, Ipv4Addr::LOCALHOST.into())?, &binaries, &lines)?;
        Ok(Self { service, kills: Vec::new(), task, starts: 0, binaries, lines })
    }

    /// Kills the process, counts that, and starts it again.
    async fn kill(&mut self, signal: Signal, counts: &mut Kills) -> anyhow::Result<()> {
        match signal {
            Signal::Sigterm => {
                counts.sigterm += 1;
                self.task.process.terminate();
                counts.unclean += usize::from(!self.exited_cleanly().await?);
            }
            Signal::Sigkill => {
                counts.sigkill += 1;
                self.task.process.kill();
                self.task.process.wait().await?;
            }
        }
        self.restart()?;
        self.task.healthy().await
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        self.starts += 1;
        let shards = SHARDS[self.starts % SHARDS.len()].to_owned();
        self.service.variables.insert("ORDERS_SHARDS".to_owned(), shards);
        self.task = Task::start(&self.service, self.task.port, &self.binaries, &self.lines)?;
        Ok(())
    }

    /// Waits for a process that got SIGTERM, as long as ECS would. False if it had to be killed, if
    /// it exited with another code than 0, or if it had crashed before.
    async fn exited_cleanly(&mut self) -> anyhow::Result<bool> {
        if let Ok(status) = timeout(STOP_TIMEOUT, self.task.process.wait()).await {
            return Ok(status?.success());
        }
        self.task.process.kill();
        self.task.process.wait().await?;
        Ok(false)
    }
}
