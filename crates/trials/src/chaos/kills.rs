//! The services as processes that are killed, politely or not, and started again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use account::provision::Service;
use anyhow::Context as _;
use local::{
    build,
    process::{Line, Process},
    system::free_port,
};
use pubsub::health;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Args, Stage, load::Progress};

/// Two tasks of the publisher: each sweeps what the other left.
const INSTANCES: [(&str, u64); 4] =
    [("publisher", 1), ("publisher", 2), ("fulfilment", 1), ("promotion", 1)];
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// What ECS gives a task between SIGTERM and SIGKILL: `StopTimeout` in the overrides.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
const POLITE: &str = "SIGTERM";
const RUDE: &str = "SIGKILL";
/// What became of some whose end was asked for: killed after all, or another exit code than 0.
const UNCLEAN: &str = "unclean ends after SIGTERM";

/// All processes.
pub struct Fleet {
    instances: Vec<Instance>,
}

struct Instance {
    service: Service,
    port: u16,
    /// After how many accepted orders it is killed, and how.
    kills: Vec<(u32, &'static str)>,
    process: Process,
    start: Arc<Start>,
}

/// How a process is started.
struct Start {
    binary: std::path::PathBuf,
    lines: tokio::sync::mpsc::UnboundedSender<Line>,
}

impl Fleet {
    /// Starts all of them behind the proxy, and waits until they are well.
    pub async fn start(stage: &Stage, kills: usize, args: &Args) -> anyhow::Result<Self> {
        let mut instances = Vec::new();
        for (index, (name, number)) in INSTANCES.into_iter().enumerate() {
            let mut service = stage.account.service(name).context("no such service")?.clone();
            let port = free_port(0)?;
            let with = [
                ("AWS_ENDPOINT_URL", stage.proxy.url.clone()),
                ("PORT", port.to_string()),
                ("HEALTH_PORT", port.to_string()),
                // A poll that ends soon, so that SIGTERM does: no message waits longer for it.
                ("RECEIVE_WAIT_SECONDS", "1".to_owned()),
                ("BANNER", "off".to_owned()),
            ];
            service.variables.extend(with.map(|(name, value)| (name.to_owned(), value)));
            let start = Arc::new(Start {
                binary: build::binary(&stage.binaries, name)?,
                lines: stage.lines.clone(),
            });
            let process = start.spawn(&service)?;
            let mut random = StdRng::seed_from_u64(args.seed.wrapping_mul(31) + index as u64);
            // The kills of a service are shared between its instances.
            let shared_by = INSTANCES.iter().filter(|(other, _)| *other == name).count();
            let first = usize::try_from(number)? <= kills % shared_by;
            let mut kills: Vec<_> = (0..kills / shared_by + usize::from(first))
                .map(|_| {
                    let when = random.random_range(0..args.orders);
                    (when, if random.random_bool(0.5) { POLITE } else { RUDE })
                })
                .collect();
            kills.sort_unstable();
            instances.push(Instance { service, port, kills, process, start });
        }
        let fleet = Self { instances };
        for instance in &fleet.instances {
            instance.healthy().await?;
        }
        Ok(fleet)
    }

    /// Where the publishers are.
    pub fn urls(&self) -> Vec<String> {
        let publishers = self.instances.iter().filter(|it| it.service.name == "publisher");
        publishers.map(|instance| format!("http://127.0.0.1:{}", instance.port)).collect()
    }

    /// Kills by the plan, as the orders are accepted, and counts the kills by kind.
    pub async fn kill_by(
        &mut self,
        progress: &Arc<Progress>,
    ) -> anyhow::Result<BTreeMap<&'static str, usize>> {
        let mut killers = JoinSet::new();
        for mut instance in self.instances.drain(..) {
            let progress = Arc::clone(progress);
            killers.spawn(async move {
                let mut counts = BTreeMap::new();
                for (when, how) in std::mem::take(&mut instance.kills) {
                    while progress.accepted() < when {
                        sleep(Duration::from_millis(5)).await;
                    }
                    let clean = instance.kill(how).await?;
                    *counts.entry(how).or_insert(0) += 1;
                    *counts.entry(UNCLEAN).or_insert(0) += usize::from(!clean);
                }
                anyhow::Ok((instance, counts))
            });
        }
        let mut total = BTreeMap::new();
        while let Some(done) = killers.join_next().await {
            let (instance, counts) = done??;
            self.instances.push(instance);
            for (how, count) in counts {
                *total.entry(how).or_insert(0) += count;
            }
        }
        Ok(total)
    }

    /// Ends all of them, and adds those that did not end cleanly to `killed`; returns how many
    /// there were in all.
    pub async fn stop(
        mut self,
        killed: &mut BTreeMap<&'static str, usize>,
    ) -> anyhow::Result<usize> {
        let unclean = killed.entry(UNCLEAN).or_insert(0);
        for instance in &mut self.instances {
            instance.process.terminate();
        }
        for instance in &mut self.instances {
            *unclean += usize::from(!instance.ended().await?);
        }
        Ok(*unclean)
    }
}

impl Instance {
    /// Ends the process and starts it again. False if it was asked to end, and did so badly.
    async fn kill(&mut self, how: &'static str) -> anyhow::Result<bool> {
        let clean = if how == POLITE {
            self.process.terminate();
            self.ended().await?
        } else {
            self.process.kill();
            self.process.wait().await?;
            true
        };
        self.process = self.start.spawn(&self.service)?;
        self.healthy().await?;
        Ok(clean)
    }

    /// Waits as long as ECS would for a process that was asked to end; to be asked again would end
    /// it at once. True if it ended with code 0; one that had crashed before did not.
    async fn ended(&mut self) -> anyhow::Result<bool> {
        if let Ok(status) = timeout(STOP_TIMEOUT, self.process.wait()).await {
            return Ok(status?.success());
        }
        self.process.kill();
        self.process.wait().await?;
        Ok(false)
    }

    async fn healthy(&self) -> anyhow::Result<()> {
        let path = if self.service.name == "publisher" { "/ping" } else { "/" };
        let answers = async {
            while health::check(self.port, path).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let name = &self.service.name;
        timeout(START_TIMEOUT, answers).await.with_context(|| format!("{name} does not start"))
    }
}

impl Start {
    fn spawn(&self, service: &Service) -> anyhow::Result<Process> {
        Process::spawn(&service.name, &self.binary, &service.variables, &self.lines)
    }
}
