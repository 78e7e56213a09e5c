//! The services as processes, which are killed with SIGTERM or SIGKILL and started again.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

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

/// What ECS gives a task between SIGTERM and SIGKILL: `StopTimeout` in the overrides.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

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
    pub async fn start(arena: &Arena, args: &Args) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for service in &arena.account.services {
            let replicas = replicas(service);
            for number in 0..replicas {
                // The replicas of a service share its kills.
                let one_more = usize::from(number < args.kills() % replicas);
                let kills = args.kills() / replicas + one_more;
                let seed = args.seed.wrapping_mul(31) + all.len() as u64;
                let kills = draw_kills(kills, args.orders, seed);
                all.push(Replica::start(arena, service.clone(), kills)?);
            }
        }
        for replica in &all {
            replica.task.healthy().await?;
        }
        Ok(Self { replicas: all })
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
    fn start(
        arena: &Arena,
        mut service: Service,
        kills: Vec<(u32, Signal)>,
    ) -> anyhow::Result<Self> {
        let changed = [
            ("AWS_ENDPOINT_URL", arena.proxy.url.as_str()),
            // SIGTERM waits for the poll, so polls are short.
            ("RECEIVE_WAIT_SECONDS", "1"),
            ("BANNER", "off"),
        ];
        let changed = changed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        service.variables.extend(changed);
        let (binaries, lines) = (arena.binaries.clone(), arena.lines.clone());
        let task =
            Task::start(&service, port::free(0, Ipv4Addr::LOCALHOST.into())?, &binaries, &lines)?;
        Ok(Self { service, kills, task, binaries, lines })
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
        self.task = Task::start(&self.service, self.task.port, &self.binaries, &self.lines)?;
        self.task.healthy().await
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
