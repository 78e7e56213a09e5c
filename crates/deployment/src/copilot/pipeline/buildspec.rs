//! `buildspec.yml`: the build of a pipeline, in the format of AWS CodeBuild.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::{Location, Spanned};

use crate::{
    mistake::{Mistake, Wrong},
    yaml::{self, Scalar},
};

/// The version of CodeBuild's format that this is.
const VERSION: &str = "0.2";
/// The releases of Copilot whose templates the outline describes.
const COPILOT_RELEASES: &str = "v1.33.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Buildspec {
    version: Spanned<Scalar>,
    env: Env,
    phases: Spanned<Phases>,
    #[serde(rename = "artifacts")]
    _artifacts: Artifacts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Env {
    #[serde(rename = "shell")]
    _shell: Option<Shell>,
    variables: Spanned<BTreeMap<String, Spanned<Scalar>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shell {
    Sh,
    Bash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phases {
    #[serde(rename = "install")]
    _install: Option<Phase>,
    #[serde(rename = "pre_build")]
    _pre_build: Option<Phase>,
    build: Phase,
    #[serde(rename = "post_build")]
    _post_build: Option<Phase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phase {
    #[serde(rename = "on-failure")]
    on_failure: Option<OnFailure>,
    #[serde(rename = "commands")]
    _commands: Vec<String>,
    #[serde(rename = "finally")]
    _finally: Option<Vec<String>>,
    #[serde(rename = "runtime-versions")]
    _runtime_versions: Option<IgnoredAny>,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum OnFailure {
    Abort,
    Continue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Artifacts {
    #[serde(rename = "files")]
    _files: Vec<String>,
}

/// Reads the file at `path`.
///
/// # Errors
///
/// The first [`Mistake`] in it.
pub fn read(path: &Path) -> Result<(), Mistake> {
    let buildspec: Buildspec = yaml::read(path)?;
    buildspec.check().map_err(|wrong| Mistake::from_wrong(path, wrong))
}

impl Buildspec {
    fn check(&self) -> Result<(), Wrong> {
        if self.version.value.0 != VERSION {
            return Err((self.version.referenced, format!("version: it should be {VERSION}")));
        }
        let (place, value) = self.variable("DOCKER_BUILDKIT");
        if value != Some("1") {
            let what = "env.variables.DOCKER_BUILDKIT: without 1, docker has no cache mounts";
            return Err((place, what.to_owned()));
        }
        let (place, value) = self.variable("COPILOT_VERSION");
        if !value.is_some_and(|version| version.starts_with(COPILOT_RELEASES)) {
            let what = format!(
                "env.variables.COPILOT_VERSION: the overrides are checked against \
                 {COPILOT_RELEASES}x"
            );
            return Err((place, what));
        }
        if self.phases.value.build.on_failure != Some(OnFailure::Abort) {
            let what =
                "phases.build.on-failure: without ABORT, a build that failed its tests is deployed";
            return Err((self.phases.referenced, what.to_owned()));
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> (Location, Option<&str>) {
        match self.env.variables.value.get(name) {
            Some(value) => (value.referenced, Some(&value.value.0)),
            None => (self.env.variables.referenced, None),
        }
    }
}
