//! A service: its manifest, addons and overrides, each checked and all of them together.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use heck::ToShoutySnakeCase as _;
use serde_saphyr::Spanned;

use super::{
    addons, entries,
    expression::{Expression, Value},
    interpolation,
    manifest::{Kind, Manifest},
    names::check_name,
    outline::Outline,
    patches::Patches,
    stack::{self, Names, QueueIds, Stack},
    yaml::{self, Mistake, Wrong},
};

/// A service, as its files describe it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What its manifest says, with the environment's overrides in it.
    pub manifest: Manifest,
    /// Its manifest's file.
    pub file: PathBuf,
    /// What Copilot makes for it.
    pub own: Stack,
    /// What its addons make.
    pub addons: Stack,
}

impl Service {
    /// The queue that it receives from: Copilot's, or that of its addons.
    pub fn queue(&self) -> Option<QueueIds<'_>> {
        self.own.queue(false).or_else(|| self.addons.queue(true))
    }

    /// Reads the service in `directory` as it is in one environment, and checks it for all.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in its files.
    pub fn read(
        directory: &Path,
        names: &Names<'_>,
        environments: &BTreeSet<String>,
    ) -> Result<Self, Mistake> {
        check_entries(directory)?;
        let file = directory.join("manifest.yml");
        let manifest: Manifest = yaml::read(&file)?;
        let in_file = |wrong: Wrong| Mistake::from_wrong(&file, wrong);
        interpolation::check(&yaml::read::<Value>(&file)?).map_err(in_file)?;
        let kind = check_header(&file, &manifest, names.service)?;
        manifest.check_overrides(environments).map_err(in_file)?;
        let addons = addons::read(names, directory)?;
        check_variables(&manifest, &addons)?;
        let patches = Patches::read(directory)?;
        for environment in environments {
            let manifest = manifest.applied(environment);
            manifest.check(kind).map_err(in_file)?;
            let outline = Outline::of(kind.value, &manifest, &addons);
            check_template(outline, &addons, &patches, environment)?;
        }
        let mut manifest = manifest.applied(names.environment);
        for value in manifest.variables.values_mut() {
            value.0 = interpolation::interpolated(&value.0, names);
        }
        Ok(Self {
            name: names.service.to_owned(),
            kind: kind.value,
            own: stack::of_manifest(names, kind.value, &manifest, &file),
            addons,
            manifest,
            file,
        })
    }

    /// The names of the topics that it owns.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        (self.manifest.publish.iter())
            .flat_map(|publish| &publish.topics)
            .map(|topic| topic.name.value.0.as_str())
    }
}

/// Copilot looks for its files by name, and at no other: a slip in a name hides a whole file.
fn check_entries(directory: &Path) -> Result<(), Mistake> {
    for (name, path) in entries(directory)? {
        let hidden = match name.as_str() {
            "manifest.yml" => None,
            "addons" => entries(&path)?.into_values().find(|path| {
                let extension = path.extension().and_then(|it| it.to_str());
                !path.is_file() || !matches!(extension, Some("yml" | "yaml"))
            }),
            "overrides" => {
                let mut files = entries(&path)?.into_iter();
                let ours = ["cfn.patches.yml", "README.md"];
                files.find(|(name, _)| !ours.contains(&name.as_str())).map(|(_, path)| path)
            }
            _ => Some(path),
        };
        if let Some(path) = hidden {
            return Err(Mistake::of(&path, "Copilot does not look at it"));
        }
    }
    Ok(())
}

/// What Copilot says of name, type, and keys that belong to the other type.
fn check_header<'a>(
    file: &Path,
    manifest: &'a Manifest,
    directory: &str,
) -> Result<&'a Spanned<Kind>, Mistake> {
    let Some(name) = &manifest.name else {
        return Err(Mistake::of(file, "name: it is missing"));
    };
    if name.value != directory {
        let what = format!("name: it is {:?}, but its directory {directory:?}", name.value);
        return Err(Mistake::at(file, name.referenced, what));
    }
    check_name(name).map_err(|wrong| Mistake::from_wrong(file, wrong))?;
    let Some(kind) = &manifest.r#type else {
        return Err(Mistake::of(file, "type: it is missing"));
    };
    let overrides = manifest.environments.iter().map(|(_, over)| over);
    for over in std::iter::once(manifest).chain(overrides) {
        check_kind(file, kind.value, over)?;
    }
    if kind.value == Kind::Web && manifest.http.is_none() {
        let what = "http: a Load Balanced Web Service needs it";
        return Err(Mistake::at(file, kind.referenced, what));
    }
    Ok(kind)
}

fn check_kind(file: &Path, kind: Kind, manifest: &Manifest) -> Result<(), Mistake> {
    match (kind, &manifest.http, &manifest.subscribe) {
        (Kind::Web, _, Some(subscribe)) => Err(Mistake::at(
            file,
            subscribe.referenced,
            "subscribe: Copilot ignores it in a Load Balanced Web Service",
        )),
        (Kind::Worker, Some(http), _) => {
            Err(Mistake::at(file, http.referenced, "http: Copilot ignores it in a Worker Service"))
        }
        _ => Ok(()),
    }
}

/// Two outputs under one name of a variable, or an output under that of another variable.
fn check_variables(manifest: &Manifest, addons: &Stack) -> Result<(), Mistake> {
    let mut seen = BTreeMap::new();
    for (name, output) in addons.variables() {
        let variable = name.to_shouty_snake_case();
        let overrides = manifest.environments.iter().map(|(_, over)| over);
        let mut manifests = std::iter::once(manifest).chain(overrides);
        let other = if manifests.any(|it| it.variables.contains_key(&variable)) {
            "the manifest's variables".to_owned()
        } else if variable.starts_with("COPILOT_") {
            "the variables of Copilot".to_owned()
        } else {
            match seen.insert(variable.clone(), name) {
                Some(other) => format!("the output {other}"),
                None => continue,
            }
        };
        let what = format!("Outputs.{name}: {variable} is also among {other}");
        return Err(Mistake::at(&output.file, output.location, what));
    }
    Ok(())
}

/// The addons and patches are the same in all environments: they have to fit in each.
fn check_template(
    mut outline: Outline,
    addons: &Stack,
    patches: &Patches,
    environment: &str,
) -> Result<(), Mistake> {
    check_arguments(&mut outline, addons)?;
    patches.apply(&mut outline).map_err(|(place, what)| {
        let what = format!("{what} (environment {environment})");
        Mistake::at(&patches.file, place, what)
    })
}

/// What the addons are told has to exist, and must not wait for the addons itself.
fn check_arguments(outline: &mut Outline, addons: &Stack) -> Result<(), Mistake> {
    let Some(file) = &addons.parameters_file else {
        return Ok(());
    };
    for (name, argument) in &addons.parameters {
        if matches!(argument.expression, Expression::Literal(_)) {
            continue;
        }
        let wrong = |(place, what)| Mistake::at(file, place, format!("Parameters.{name}: {what}"));
        let value = Value::text(argument.clone());
        outline.check_references(&value).map_err(wrong)?;
        outline.tell_addons(name, value);
        if let Some(circle) = outline.circle() {
            return Err(wrong((argument.location, format!("with it, {circle}"))));
        }
    }
    Ok(())
}
