//! The files of a service: its manifest, addons and overrides, checked one by one and together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use heck::ToShoutySnakeCase as _;
use serde_saphyr::Spanned;

use super::{
    addons::Addons,
    environment::Environments,
    interpolation,
    manifest::{Manifest, http::Http, service_type::ServiceType},
    names::{Names, check_name},
    outline::Outline,
    patched::Patched,
    patches::Patches,
    permissions::Permissions,
    unsupported,
};
use crate::{
    cloudformation::expression::{Expression, Value},
    files::entries,
    mistake::{Mistake, Wrong},
    yaml,
};

/// The files of a service, as they apply to one environment.
#[derive(Clone, Debug)]
pub struct ServiceFiles {
    /// The name of the service.
    pub name: String,
    /// The type of the service.
    pub service_type: ServiceType,
    /// The manifest, with the environment's overrides applied.
    pub manifest: Manifest,
    /// The file of the manifest.
    pub file: PathBuf,
    /// The addons.
    pub addons: Addons,
    /// A mistake in the patches, which may follow from one in a manifest.
    pub wrong_patch: Option<Mistake>,
    /// What its own stack permits.
    pub permissions: Permissions,
    /// What patches add to its own stack.
    pub patched: Patched,
    /// The file of the patches, which may change what is permitted.
    pub patches_file: PathBuf,
}

impl ServiceFiles {
    /// Reads the service in `directory` as it is in one environment, and checks it for all.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in its files.
    pub fn read(
        directory: &Path,
        names: &Names<'_>,
        environments: &Environments,
    ) -> Result<Self, Mistake> {
        check_entries(directory)?;
        let file = directory.join("manifest.yml");
        let in_file = |wrong: Wrong| Mistake::from_wrong(&file, wrong);
        let values: Value = yaml::read(&file)?;
        unsupported::check(&values).map_err(in_file)?;
        let manifest: Manifest = yaml::read(&file)?;
        interpolation::check(&values).map_err(in_file)?;
        let service_type = check_header(&file, &manifest, names.service)?;
        manifest.check_overrides(environments).map_err(in_file)?;
        let addons = Addons::read(names, directory)?;
        check_variables(&manifest, &addons)?;
        check_secrets(&manifest, &addons).map_err(in_file)?;
        let patches = Patches::read(directory)?;
        let mut wrong_patch = None;
        let (mut permissions, mut patched) = (Permissions::default(), Patched::default());
        for (environment, settings) in environments {
            let manifest = manifest.applied(environment);
            manifest.check(service_type).map_err(in_file)?;
            let has_certificates = settings.has_certificates();
            let http = manifest.http.as_ref();
            http.map_or(Ok(()), |it| Http::check_certificates(it, has_certificates))
                .map_err(in_file)?;
            let outline = Outline::of(service_type.value, &manifest, &addons);
            match check_template(outline, &addons, &patches, environment) {
                Ok(template) if environment == names.environment => {
                    (permissions, patched) = template;
                }
                Ok(_) => {}
                Err(mistake) => drop(wrong_patch.get_or_insert(mistake)),
            }
        }
        let mut manifest = manifest.applied(names.environment);
        for value in manifest.variables.values_mut() {
            value.0 = Some(interpolation::interpolated(value.text(), names));
        }
        Ok(Self {
            name: names.service.to_owned(),
            service_type: service_type.value,
            addons,
            manifest,
            file,
            wrong_patch,
            permissions,
            patched,
            patches_file: patches.file,
        })
    }
}

/// Copilot finds its files by name and ignores all others, so a typo would hide a whole file.
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
            return Err(Mistake::of(&path, "Copilot does not read it"));
        }
    }
    Ok(())
}

/// Checks the name, the type, and that no key belongs to the other type.
fn check_header<'a>(
    file: &Path,
    manifest: &'a Manifest,
    directory: &str,
) -> Result<&'a Spanned<ServiceType>, Mistake> {
    let Some(name) = &manifest.name else {
        return Err(Mistake::of(file, "name: it is missing"));
    };
    if name.value != directory {
        let what = format!("name: it is {:?}, but its directory is {directory:?}", name.value);
        return Err(Mistake::at(file, name.referenced, what));
    }
    check_name(name).map_err(|wrong| Mistake::from_wrong(file, wrong))?;
    let Some(service_type) = &manifest.r#type else {
        return Err(Mistake::of(file, "type: it is missing"));
    };
    let overrides = manifest.environments.iter().map(|(_, over)| over);
    for over in std::iter::once(manifest).chain(overrides) {
        check_type(file, service_type.value, over)?;
    }
    if service_type.value == ServiceType::LoadBalanced && manifest.http.is_none() {
        let what = "http: a Load Balanced Web Service needs it";
        return Err(Mistake::at(file, service_type.referenced, what));
    }
    Ok(service_type)
}

fn check_type(file: &Path, service_type: ServiceType, manifest: &Manifest) -> Result<(), Mistake> {
    match (service_type, &manifest.http, &manifest.subscribe) {
        (ServiceType::LoadBalanced, _, Some(subscribe)) => Err(Mistake::at(
            file,
            subscribe.referenced,
            "subscribe: Copilot ignores it in a Load Balanced Web Service",
        )),
        (ServiceType::Worker, Some(http), _) => {
            Err(Mistake::at(file, http.referenced, "http: Copilot ignores it in a Worker Service"))
        }
        _ => Ok(()),
    }
}

/// Two outputs must not become the same variable, nor an output a variable that exists already.
fn check_variables(manifest: &Manifest, addons: &Addons) -> Result<(), Mistake> {
    let mut seen = BTreeMap::new();
    for (name, output) in addons.variables() {
        let variable = name.to_shouty_snake_case();
        let overrides = manifest.environments.iter().map(|(_, over)| over);
        let mut manifests = std::iter::once(manifest).chain(overrides);
        let other = if manifests.any(|it| it.variables.contains_key(&variable)) {
            "the manifest's variables".to_owned()
        } else if variable.starts_with("COPILOT_") {
            "Copilot's own variables".to_owned()
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

/// ECS refuses a secret with the name of another variable, in whatever environment that is.
fn check_secrets(manifest: &Manifest, addons: &Addons) -> Result<(), Wrong> {
    let manifests =
        || std::iter::once(manifest).chain(manifest.environments.iter().map(|it| &it.1));
    for (name, secret) in manifests().flat_map(|it| &it.secrets) {
        let mut outputs = addons.variables().map(|(output, _)| output.to_shouty_snake_case());
        let other = if manifests().any(|it| it.variables.contains_key(name)) {
            "the manifest's variables"
        } else if outputs.any(|it| it == *name) {
            "the outputs of the addons"
        } else if name.starts_with("COPILOT_") {
            "Copilot's own variables"
        } else {
            continue;
        };
        return Err((secret.referenced, format!("secrets.{name}: it is also among {other}")));
    }
    Ok(())
}

/// The addons and patches are the same in all environments, so they have to fit each of them.
/// Returns what the template permits, and what they add to it.
fn check_template(
    mut outline: Outline,
    addons: &Addons,
    patches: &Patches,
    environment: &str,
) -> Result<(Permissions, Patched), Mistake> {
    check_arguments(&mut outline, addons)?;
    let applied = patches.apply(&mut outline);
    let template = applied.and_then(|()| Ok((Permissions::of(&outline)?, Patched::of(&outline)?)));
    template.map_err(|(place, what)| {
        let what = format!("{what} (environment {environment})");
        Mistake::at(&patches.file, place, what)
    })
}

/// The arguments of the addons have to exist, and must not depend on the addons themselves.
fn check_arguments(outline: &mut Outline, addons: &Addons) -> Result<(), Mistake> {
    let Some(file) = &addons.arguments_file else {
        return Ok(());
    };
    for (name, argument) in &addons.stack.parameters {
        if matches!(argument.expression, Expression::Literal(_)) {
            continue;
        }
        let wrong = |(place, what)| Mistake::at(file, place, format!("Parameters.{name}: {what}"));
        let value = Value::text(argument.clone());
        outline.check_references(&value).map_err(wrong)?;
        outline.pass_to_addons(name, value);
        if let Some(circle) = outline.circle() {
            return Err(wrong((argument.location, format!("with it, {circle}"))));
        }
    }
    Ok(())
}
