//! What `local` does while it runs: it restarts services that exit, as ECS does, and lets edits
//! have their effect.

use std::process::ExitStatus;

use account::proxy::{Proxy, WEATHER_PATH, weather::Begun};
use anyhow::Context as _;
use console::processes::Wish;
use local::{running::Running, system::System};
use tokio::sync::watch;

use super::{
    edits::{Edited, Edits},
    observed::Observed,
    supervise::Tasks,
    to_zero::{ToZero, Wanted},
};
use crate::{
    forecast::Forecast,
    terminal::{Lines, Ready},
};

/// What is shown once the page answers.
pub struct Shown {
    /// The screen.
    pub screen: Ready,
    /// About the services that were left out.
    pub outside: Vec<String>,
}

/// What changes the services while they run.
pub struct Watched<'a> {
    /// A person edits.
    pub edits: Option<Edits>,
    /// A person steers at the console.
    pub observed: Option<&'a mut Observed>,
    /// Queues fill and run empty.
    pub to_zero: Option<ToZero>,
}

/// Waits until the page answers, shows the screen, and then restarts services that exit, as ECS
/// does, and replaces those that were built.
///
/// A service that exits before that would exit again, so its status is returned.
///
/// # Errors
///
/// If the page does not answer, or a service cannot be started again.
pub async fn watch(
    system: &mut System,
    shown: &Shown,
    Watched { mut edits, mut observed, mut to_zero }: Watched<'_>,
    lines: &Lines,
) -> anyhow::Result<ExitStatus> {
    let healthy = system.healthy();
    tokio::select! {
        healthy = healthy => healthy?,
        (name, status) = system.exited() => {
            let status = status?;
            lines.say(format!("{name} exited before the page answered: {status}"));
            return Ok(status);
        }
    }
    lines.event(&serde_json::to_value(&shown.screen)?);
    shown.outside.iter().for_each(|text| lines.say(text));
    let running = Running {
        application: system.account.application.clone(),
        takes_orders: system.takes_orders(),
        files: system.files().canonicalize().context("finding the files of the account")?,
        page: system.url.clone(),
        aws: system.target.endpoint_url.clone(),
        secrets: system.secrets().clone(),
        weather: system.proxy().map(|proxy| format!("{}{WEATHER_PATH}", proxy.url)),
    };
    let mut weather = system.proxy().and_then(Proxy::weather);
    let mut forecast = Forecast::default();
    // Without it, other commands need the ports as options.
    let _announcement = running.announce().inspect_err(|error| lines.warn(format!("{error:#}")));
    let asleep = to_zero.as_ref().map(ToZero::workers).unwrap_or_default();
    let mut tasks = Tasks::of(system, asleep);
    loop {
        if let Some(observed) = &observed {
            observed.supervisor.tasks.send_replace(tasks.shown(system));
        }
        let wished = wished(observed.as_deref_mut());
        let next = async {
            let edited = match &mut edits {
                Some(edits) => edits.next().await,
                None => None,
            };
            match edited {
                Some(edited) => edited,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (name, status) = system.exited() => {
                lines.say(format!("{name} exited ({}); {}", status?, tasks.exited(&name)));
            }
            name = tasks.due() => tasks.restart(system, &name)?,
            Wish { action, answer } = wished => {
                // Who asked may have gone.
                let _ = answer.send(tasks.fulfil(system, &action));
            }
            (wanted, said) = wanted(&mut to_zero, &tasks) => {
                lines.say(said);
                match wanted {
                    Wanted::Start(name, _) => tasks.wake(system, &name)?,
                    Wanted::Stop(name) => tasks.sleep(system, &name)?,
                }
            }
            () = changed(&mut weather) => {
                let faults = |proxy: &Proxy| proxy.counts().faults.values().sum();
                let met: u64 = system.proxy().map(faults).unwrap_or_default();
                let now = weather.as_mut().map(|it| it.borrow_and_update().clone());
                forecast.news(now.unwrap_or_default(), met).iter().for_each(|it| lines.say(it));
            }
            edited = next => {
                if let Err(error) = apply(system, &mut tasks, edited, lines).await {
                    lines.warn(format!("{error:#}"));
                }
            }
        }
    }
}

async fn wished(observed: Option<&mut Observed>) -> Wish {
    if let Some(observed) = observed
        && let Some(wish) = observed.supervisor.wishes.recv().await
    {
        return wish;
    }
    std::future::pending().await
}

async fn wanted(to_zero: &mut Option<ToZero>, tasks: &Tasks) -> (Wanted, String) {
    let Some(to_zero) = to_zero else { return std::future::pending().await };
    let wanted = to_zero.next(tasks).await;
    let said = to_zero.said(&wanted);
    (wanted, said)
}

async fn changed(weather: &mut Option<watch::Receiver<Vec<Begun>>>) {
    match weather {
        // The proxy lives as long as the system.
        Some(weather) => drop(weather.changed().await),
        None => std::future::pending().await,
    }
}

/// Lets an edit have its effect.
async fn apply(
    system: &mut System,
    tasks: &mut Tasks,
    edited: Edited,
    lines: &Lines,
) -> anyhow::Result<()> {
    let mut names = match edited {
        Edited::Services(names) => names,
        Edited::Manifests => {
            let names = system.reload().await?;
            lines.say("the account is as the manifests say");
            names
        }
    };
    names = tasks.of_services(system, &names);
    names.sort();
    if !names.is_empty() {
        system.replace_services(&names).await?;
        tasks.started(&names);
        lines.say(format!("replaced {}", names.join(", ")));
    }
    Ok(())
}
