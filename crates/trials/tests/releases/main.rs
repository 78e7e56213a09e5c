//! Two releases side by side: no deployment replaces all processes at once, and some are undone.
//!
//! `LAST_RELEASE` is a directory with the services of the last release; `.ci/releases` builds them
//! and runs this.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use local::build;

#[path = "../test_system/mod.rs"]
mod test_system;

use test_system::TestSystem;

const SWITCH: &str = "LAST_RELEASE";
/// How many orders come in while each mixture of releases runs.
const ORDERS: usize = 10;
/// In which order the services are deployed. A rollback is the other way round.
const DEPLOYMENTS: [[&str; 3]; 2] =
    [["publisher", "fulfilment", "promotion"], ["promotion", "fulfilment", "publisher"]];

fn main() -> anyhow::Result<ExitCode> {
    let Some(last) = env::var_os(SWITCH).map(PathBuf::from) else {
        println!("releases: off, so no release ran beside another. Enable it with");
        println!("    .ci/releases");
        return Ok(ExitCode::SUCCESS);
    };
    let runtime = tokio::runtime::Runtime::new()?;
    for deployment in DEPLOYMENTS {
        runtime.block_on(deploy_and_roll_back(&last, deployment))?;
        println!("releases: {deployment:?} deployed and rolled back, nothing lost");
    }
    Ok(ExitCode::SUCCESS)
}

/// Both releases of each service, of which one is linked into a directory.
struct Releases<'a> {
    last: &'a Path,
    new: PathBuf,
    linked: PathBuf,
}

impl Releases<'_> {
    fn link(&self, service: &str, is_new: bool) -> anyhow::Result<()> {
        let binaries = if is_new { &self.new } else { self.last };
        let link = self.linked.join(service);
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        symlink(build::binary(binaries, service)?, link).context("linking a service")
    }
}

async fn deploy_and_roll_back(last: &Path, deployment: [&str; 3]) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let linked = directory.path().to_owned();
    let releases = Releases { last, new: build::binaries().await?, linked: linked.clone() };
    for service in deployment {
        releases.link(service, false)?;
    }
    // The last release has none.
    releases.link("history", true)?;
    // So slow that orders are in flight whenever a service is replaced.
    let mut test = TestSystem::start_binaries(linked, &[("PACE_MS", "200")]).await?;
    let mut ids = place(&test).await?;
    let back = deployment.iter().rev().map(|service| (*service, false));
    let steps = deployment.iter().map(|service| (*service, true)).chain(back);
    for (service, is_new) in steps {
        releases.link(service, is_new)?;
        test.stop(service).await?;
        test.system.start_service(service)?;
        test.system.healthy().await?;
        ids.extend(place(&test).await?);
    }
    for id in &ids {
        test.see_until(id, |order| order["is_done"] == true).await?;
        test.logged("promotion", &["coupon granted", id]).await?;
    }
    let coupons = test.items("promotion", "COUPONS_TABLE_NAME").await?.len();
    ensure!(coupons == ids.len(), "{coupons} coupons for {} orders", ids.len());
    for worker in ["fulfilment", "promotion"] {
        test.dead_letters(worker, 0).await?;
    }
    test.status_is_handled(0).await?;
    test.system.stop().await
}

async fn place(test: &TestSystem) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for _ in 0..ORDERS {
        ids.push(test.order("Ada Lovelace", "80").await?);
    }
    Ok(ids)
}
