//! Which processes should run: those that exit are restarted, as ECS does, unless a person stopped
//! them at the console.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use console::processes::{Action, MAX_TASKS, State, Task};
use deployment::description::Kind;
use local::system::System;
use tokio::time::{Duration, Instant};

/// Keeps a service that exits again and again from filling the terminal.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// The tasks, and what each should do.
#[derive(Debug, Default)]
pub struct Tasks(BTreeMap<String, Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    state: State,
    restarts: u32,
    /// When it is started again.
    due: Option<Instant>,
    /// Whether it is not wanted any more once it has exited.
    leaves: bool,
    /// Whether it is stopped, or stops, because it has nothing to do.
    sleeps: bool,
}

/// Whether a service runs, for who starts and stops it by its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It runs.
    Awake,
    /// It has nothing to do.
    Asleep,
    /// It is neither, such as one that was stopped at the console.
    Neither,
}

impl Default for Place {
    fn default() -> Self {
        Self { state: State::Running, restarts: 0, due: None, leaves: false, sleeps: false }
    }
}

impl Tasks {
    /// The tasks that run now, and those of services that sleep.
    pub fn of(system: &System, asleep: impl IntoIterator<Item = String>) -> Self {
        let running = system.running().into_keys().map(|name| (name, Place::default()));
        let sleeping = Place { state: State::Stopped, sleeps: true, ..Place::default() };
        let asleep = asleep.into_iter().map(|name| (name, sleeping));
        Self(asleep.chain(running).collect())
    }

    /// Whether a service runs.
    pub fn rest(&self, service: &str) -> Rest {
        let tasks = self.0.iter().filter(|(name, _)| is_of(name, service));
        let places: Vec<_> = tasks.map(|(_, place)| place).collect();
        let is = |state| move |it: &&&Place| it.state == state;
        if places.iter().any(|it| it.state == State::Running) {
            Rest::Awake
        } else if places.iter().filter(is(State::Stopped)).any(|it| it.sleeps) {
            Rest::Asleep
        } else {
            Rest::Neither
        }
    }

    /// Starts a service that sleeps.
    pub fn wake(&mut self, system: &mut System, service: &str) -> anyhow::Result<()> {
        self.start(system, service)
    }

    /// Stops all tasks of a service until it is woken.
    pub fn sleep(&mut self, system: &mut System, service: &str) -> anyhow::Result<()> {
        let running = self.0.iter().filter(|(_, place)| place.state == State::Running);
        let names: Vec<_> =
            running.map(|(name, _)| name.clone()).filter(|name| is_of(name, service)).collect();
        for name in names {
            self.stop(system, &name)?;
            self.0.entry(name).or_default().sleeps = true;
        }
        Ok(())
    }

    /// The tasks of these services that run, or would if they had not just exited.
    pub fn of_services(&self, system: &System, services: &[String]) -> Vec<String> {
        let is_wanted = |place: &Place| matches!(place.state, State::Running | State::Restarting);
        let is_of = |name: &str| services.iter().any(|it| it == system.service_of(name));
        let tasks = self.0.iter().filter(|(name, place)| is_of(name) && is_wanted(place));
        tasks.map(|(name, _)| name.clone()).collect()
    }

    /// Takes note that a task exited, and says what follows.
    pub fn exited(&mut self, name: &str) -> &'static str {
        let place = self.0.entry(name.to_owned()).or_default();
        if place.state != State::Stopping {
            place.state = State::Restarting;
            place.due = Some(Instant::now() + RESTART_DELAY);
            return "restarting it";
        }
        place.state = State::Stopped;
        let why = if place.sleeps { "it sleeps" } else { "it was stopped at the console" };
        if place.leaves {
            self.0.remove(name);
        }
        why
    }

    /// Takes note that these tasks were started.
    pub fn started(&mut self, names: &[String]) {
        for name in names {
            let place = self.0.entry(name.clone()).or_default();
            *place = Place { restarts: place.restarts, ..Place::default() };
        }
    }

    /// Waits until a task is to be started again, and returns its name.
    pub async fn due(&self) -> String {
        let due = self.0.iter().filter_map(|(name, place)| Some((place.due?, name)));
        let Some((at, name)) = due.min() else { return std::future::pending().await };
        let name = name.clone();
        tokio::time::sleep_until(at).await;
        name
    }

    /// Starts a task that was due.
    pub fn restart(&mut self, system: &mut System, name: &str) -> anyhow::Result<()> {
        system.start_service(name)?;
        self.started(&[name.to_owned()]);
        self.0.entry(name.to_owned()).or_default().restarts += 1;
        Ok(())
    }

    /// What the console shows.
    pub fn shown(&self, system: &System) -> Vec<Task> {
        let running = system.running();
        let tasks = self.0.iter().map(|(name, place)| {
            let service = system.service_of(name);
            let kind = system.account.service(service).map(|it| it.kind);
            Task {
                name: name.clone(),
                service: service.to_owned(),
                is_worker: kind == Some(Kind::Worker),
                state: place.state,
                pid: running.get(name).copied(),
                restarts: place.restarts,
            }
        });
        tasks.collect()
    }

    /// Does what a person wants, and says what that is.
    pub fn fulfil(&mut self, system: &mut System, action: &Action) -> anyhow::Result<String> {
        match action {
            Action::Kill(name) => {
                system.process(name)?.kill();
                Ok(format!("{name} was killed."))
            }
            Action::Stop(name) => {
                self.stop(system, name)?;
                Ok(format!("{name} is stopping."))
            }
            Action::Freeze(name) => {
                system.process(name)?.freeze();
                self.0.entry(name.clone()).or_default().state = State::Frozen;
                Ok(format!("{name} is frozen."))
            }
            Action::Continue(name) => {
                system.process(name)?.thaw();
                self.0.entry(name.clone()).or_default().state = State::Running;
                Ok(format!("{name} goes on."))
            }
            Action::Start(name) => {
                let place = self.0.get(name).with_context(|| format!("there is no {name}"))?;
                anyhow::ensure!(place.state == State::Stopped, "{name} is not stopped");
                self.start(system, name)?;
                Ok(format!("{name} was started."))
            }
            Action::Scale { service, count } => self.scale(system, service, *count),
        }
    }

    fn start(&mut self, system: &mut System, name: &str) -> anyhow::Result<()> {
        system.start_service(name)?;
        self.started(&[name.to_owned()]);
        Ok(())
    }

    fn stop(&mut self, system: &mut System, name: &str) -> anyhow::Result<()> {
        system.process(name)?.terminate();
        self.0.entry(name.to_owned()).or_default().state = State::Stopping;
        Ok(())
    }

    fn scale(
        &mut self,
        system: &mut System,
        service: &str,
        count: usize,
    ) -> anyhow::Result<String> {
        let kind = system.account.service(service).map(|it| it.kind);
        match kind {
            Some(Kind::Worker) => {}
            Some(Kind::Web) => bail!("{service} has one port, so it is one process"),
            None => bail!("there is no service {service}"),
        }
        anyhow::ensure!(count <= MAX_TASKS, "at most {MAX_TASKS} processes");
        for number in 1..=MAX_TASKS {
            let name = if number == 1 { service.to_owned() } else { format!("{service}-{number}") };
            let state = self.0.get(&name).map(|place| place.state);
            let runs = !matches!(state, None | Some(State::Stopped));
            if number <= count && !runs {
                self.start(system, &name)?;
            } else if number > count && runs {
                if state == Some(State::Restarting) {
                    self.0.remove(&name);
                    continue;
                }
                self.stop(system, &name)?;
                self.0.entry(name).or_default().leaves = number > 1;
            }
        }
        Ok(format!("{service} is scaled to {count}."))
    }
}

/// Whether a task is of a service: it has its name, perhaps with a number.
fn is_of(task: &str, service: &str) -> bool {
    let rest = task.strip_prefix(service);
    let number = |rest: &str| rest.strip_prefix('-').is_some_and(|it| it.parse::<u32>().is_ok());
    rest.is_some_and(|rest| rest.is_empty() || number(rest))
}
