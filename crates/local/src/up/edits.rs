//! Notices changed sources, and builds the services again.
//!
//! This is on whenever cargo runs this program, because it costs nothing while nobody edits, and
//! because what a person expects of a saved file is to see it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use local::build::{self, Rebuilt};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

use super::built::Built;
use crate::terminal::Lines;

/// An editor writes a file in several steps, and a person may save several files.
const QUIET: Duration = Duration::from_millis(100);

/// The files of the workspace itself that change what is built.
const WORKSPACE_FILES: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

/// Watches, and builds in the background. Dropping it stops that.
pub struct Edits {
    _watcher: RecommendedWatcher,
    builder: JoinHandle<()>,
    results: UnboundedReceiver<Edited>,
}

/// What a person has edited.
pub enum Edited {
    /// These services have new binaries.
    Services(Vec<String>),
    /// The files that describe the account.
    Manifests,
}

impl Edits {
    /// Watches the sources of what is built into `binaries`, and the files in `files`.
    ///
    /// # Errors
    ///
    /// If the sources cannot be watched.
    pub async fn watch(
        binaries: &Path,
        files: &Path,
        built: Built,
        lines: Lines,
        in_colour: bool,
    ) -> anyhow::Result<Self> {
        let (changed, changes) = unbounded_channel();
        let watcher = watcher(&built, files, changed)?;
        let (sender, results) = unbounded_channel();
        let builder = Builder {
            binaries: binaries.to_owned(),
            files: files.to_owned(),
            built,
            lines,
            in_colour,
        };
        let builder = tokio::spawn(builder.run(changes, sender));
        Ok(Self { _watcher: watcher, builder, results })
    }

    /// Waits for an edit that builds.
    pub async fn next(&mut self) -> Option<Edited> {
        self.results.recv().await
    }
}

impl Drop for Edits {
    fn drop(&mut self) {
        self.builder.abort();
    }
}

fn watcher(
    built: &Built,
    files: &Path,
    changed: UnboundedSender<PathBuf>,
) -> anyhow::Result<RecommendedWatcher> {
    let workspace = built.workspace.clone();
    let report = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let is_written = match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            kind => kind.is_create() || kind.is_modify() || kind.is_remove(),
        };
        for path in event.paths.into_iter().filter(|path| is_written && is_source(path, &workspace))
        {
            let _ = changed.send(path);
        }
    };
    let mut watcher = notify::recommended_watcher(report).context("watching the sources")?;
    let recursive = built.folders.iter().map(PathBuf::as_path).chain([files]);
    let folders = recursive.map(|folder| (folder, RecursiveMode::Recursive));
    for (folder, mode) in folders.chain([(&*built.workspace, RecursiveMode::NonRecursive)]) {
        watcher.watch(folder, mode).with_context(|| format!("watching {}", folder.display()))?;
    }
    Ok(watcher)
}

/// Whether it is a file that is built, and not one that an editor keeps beside it.
fn is_source(path: &Path, workspace: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.parent() == Some(workspace) {
        return WORKSPACE_FILES.contains(&&*name);
    }
    // `4913` is how vim tries whether it may write.
    let is_temporary = name.starts_with(['.', '#']) || name.ends_with(['~', '#']) || name == "4913";
    !is_temporary && !name.ends_with(".swp") && !name.ends_with(".tmp") && !path.is_dir()
}

/// Builds after each change.
struct Builder {
    binaries: PathBuf,
    files: PathBuf,
    built: Built,
    lines: Lines,
    in_colour: bool,
}

impl Builder {
    async fn run(self, mut changes: UnboundedReceiver<PathBuf>, edited: UnboundedSender<Edited>) {
        while let Some(first) = changes.recv().await {
            let mut paths = vec![first];
            while let Ok(Some(next)) = timeout(QUIET, changes.recv()).await {
                paths.push(next);
            }
            let (manifests, sources): (Vec<_>, Vec<_>) =
                paths.into_iter().partition(|path| path.starts_with(&self.files));
            if let Some(file) = manifests.first() {
                self.lines.say(format!("{} changed", self.name(file)));
                let _ = edited.send(Edited::Manifests);
            }
            if let Some(file) = sources.first() {
                self.build(file, &edited).await;
            }
        }
    }

    async fn build(&self, file: &Path, edited: &UnboundedSender<Edited>) {
        let name = self.name(file);
        if self.is_for_a_restart(file) {
            return self.lines.say(format!("{name} changed: start this again to use it"));
        }
        self.lines.say(format!("{name} changed: building"));
        let (which, binaries) = (&self.built.which, self.built.binaries.values());
        let binaries: Vec<_> = binaries.collect();
        match build::rebuild(&self.binaries, which, &binaries, self.in_colour).await {
            Ok(Rebuilt::Binaries(new)) => match self.built.services(&new) {
                none if none.is_empty() => self.lines.say("no service has changed"),
                services => drop(edited.send(Edited::Services(services))),
            },
            Ok(Rebuilt::Failed(why)) => {
                self.lines.warn(format!("it does not build; the services stay\n{why}"));
            }
            Err(error) => self.lines.warn(format!("it cannot be built: {error:#}")),
        }
    }

    fn name(&self, file: &Path) -> String {
        file.strip_prefix(&self.built.workspace).unwrap_or(file).display().to_string()
    }

    /// Whether the file belongs to this program, which cannot replace itself.
    fn is_for_a_restart(&self, path: &Path) -> bool {
        let parts = ["crates/local", "crates/account", "crates/console", "crates/deployment"];
        parts.iter().any(|part| path.starts_with(self.built.workspace.join(part)))
    }
}

#[cfg(test)]
mod tests;
