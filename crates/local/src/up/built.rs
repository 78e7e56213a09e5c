//! Which binaries the services have, and what they are built of.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use local::build::{self, Which};

/// What is built under cargo.
#[derive(Clone, Debug)]
pub struct Built {
    /// The selection.
    pub which: Which,
    /// The binaries that are built again, by service.
    pub binaries: BTreeMap<String, String>,
    /// The folders whose changes may change them.
    pub folders: Vec<PathBuf>,
    /// The folder of the workspace.
    pub workspace: PathBuf,
}

impl Built {
    /// What the files of an application describe for an environment, except these services.
    /// Without `is_other`, it is the order system, whose binaries have the names of the services.
    ///
    /// # Errors
    ///
    /// [`Mistake`](deployment::Mistake) in the files, or
    /// [`Misconfigured`](pubsub::env::Misconfigured) if a service has no package.
    pub async fn of(
        files: &Path,
        environment: &str,
        without: &[String],
        is_other: bool,
    ) -> anyhow::Result<Self> {
        if env::var_os("CARGO").is_none() {
            // Without cargo, the binaries lie beside this one.
            let (binaries, folders, workspace) = Default::default();
            return Ok(Self { which: Which::Orders, binaries, folders, workspace });
        }
        let deployment = deployment::read(files, environment)?;
        let names = deployment.services.iter().map(|service| service.name.clone());
        let names: Vec<_> = names.filter(|name| !without.contains(name)).collect();
        let packages = build::packages().await?;
        let binaries = match is_other {
            true => packages.binaries(&deployment.application, &names)?,
            false => names.into_iter().map(|name| (name.clone(), name)).collect(),
        };
        let which = match is_other {
            true => Which::Binaries(binaries.values().cloned().collect()),
            false => Which::Orders,
        };
        let folders = packages.sources(binaries.values().cloned());
        Ok(Self { which, binaries, folders, workspace: packages.workspace })
    }

    /// The services whose binaries these are.
    pub fn services(&self, binaries: &[String]) -> Vec<String> {
        let of = self.binaries.iter().filter(|(_, binary)| binaries.contains(binary));
        of.map(|(service, _)| service.clone()).collect()
    }
}
