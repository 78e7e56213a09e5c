//! The keys that Copilot knows and a local account has no use for, or does otherwise: they are no
//! mistakes, but what they ask for would not happen here.

use crate::{
    cloudformation::expression::{Data, Value},
    mistake::Wrong,
};

/// Their paths: `*` is any key, and `[]` any item.
const UNSUPPORTED: [&str; 33] = [
    "command",
    "deployment.rollback_alarms",
    "entrypoint",
    "env_file",
    "exec.enable",
    "http.additional_rules",
    "http.alb",
    "http.target_container",
    "http.target_port",
    "http.targetContainer",
    "http.version",
    "image.credentials",
    "image.labels",
    "logging.configFilePath",
    "logging.destination",
    "logging.enableMetadata",
    "logging.env_file",
    "logging.image",
    "logging.secretOptions",
    "logging.secrets",
    "logging.variables",
    "nlb",
    "platform.architecture",
    "platform.osfamily",
    "secrets.*.from_cfn",
    "sidecars.*.credentialsParameter",
    "sidecars.*.env_file",
    "sidecars.*.mount_points",
    "sidecars.*.variables.*.from_cfn",
    "storage.volumes",
    "subscribe.topics.[].queue",
    "taskdef_overrides",
    "variables.*.from_cfn",
];

/// Checks that a manifest has none of them, also not for an environment.
///
/// # Errors
///
/// The first that it has.
pub fn check(manifest: &Value) -> Result<(), Wrong> {
    let overrides = manifest.at(&["environments"]).and_then(Value::entries);
    let parts = overrides.into_iter().flatten().map(|(_, over)| over).chain([manifest]);
    for part in parts {
        for path in UNSUPPORTED {
            if let Some((place, key)) = find(part, path, String::new()) {
                let what = format!(
                    "{key}: Copilot takes it, but it is not supported by the local account"
                );
                return Err((place, what));
            }
        }
    }
    Ok(())
}

/// The place of what `path` leads to, and its key.
fn find(value: &Value, path: &str, key: String) -> Option<(serde_saphyr::Location, String)> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(it, rest)| (it, Some(rest)));
    let children: Vec<(&str, &Value)> = match &value.data {
        Data::Map(entries) => entries.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        Data::List(items) => items.iter().map(|it| ("[]", it)).collect(),
        _ => Vec::new(),
    };
    children.into_iter().filter(|(name, _)| first == "*" || first == *name).find_map(
        |(name, child)| {
            let key = match (name, key.as_str()) {
                ("[]", _) => key.clone(),
                (_, "") => name.to_owned(),
                _ => format!("{key}.{name}"),
            };
            match rest {
                Some(rest) => find(child, rest, key),
                None => Some((child.key, key)),
            }
        },
    )
}
