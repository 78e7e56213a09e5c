//! `sidecars`: the containers beside the service's own. A local account runs only the service, so
//! these are read to check them, and because patches count containers.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{
    container::{Build, ContainerHealth, Image},
    dependencies::{Condition, DependsOn},
    overlay::overlay,
    secret::Secret,
    variable::Variable,
};
use crate::{
    bare,
    mistake::Wrong,
    yaml::{ListOr, ShortOr, wrong},
};

/// A container beside the service's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    image: Option<ShortOr<String, Source>>,
    port: Option<Spanned<Port>>,
    #[serde(default, deserialize_with = "bare::optional")]
    essential: Option<bool>,
    variables: Option<BTreeMap<String, Variable>>,
    secrets: Option<BTreeMap<String, Spanned<Secret>>>,
    depends_on: Option<DependsOn>,
    healthcheck: Option<Spanned<ContainerHealth>>,
    entrypoint: Option<ListOr<String, NoMap>>,
    command: Option<ListOr<String, NoMap>>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    build: Option<ShortOr<String, Build>>,
    location: Option<Spanned<String>>,
}

/// What a list may not be instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMap {}

/// A port, and perhaps its protocol: `2000`, or `2000/udp`.
#[derive(Clone, Debug)]
struct Port(u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (port, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        match port.parse() {
            Ok(port) if ["tcp", "udp"].contains(&protocol.to_ascii_lowercase().as_str()) => {
                Ok(Self(port))
            }
            _ => Err(wrong(format!("{text:?} is not a port such as 2000 or 2000/udp"))),
        }
    }
}

overlay!(Sidecar:
    merges(healthcheck),
    replaces(
        image, port, essential, variables, secrets, depends_on, entrypoint, command, labels
    )
);

impl Sidecar {
    /// The names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().flatten().map(|(name, _)| name.as_str())
    }

    /// The properties of its container that Copilot writes because of it.
    pub fn properties(&self) -> impl Iterator<Item = &'static str> {
        [
            ("Command", self.command.is_some()),
            ("DependsOn", self.depends_on.is_some()),
            ("DockerLabels", self.labels.is_some()),
            ("EntryPoint", self.entrypoint.is_some()),
            ("Essential", self.essential.is_some()),
            ("HealthCheck", self.healthcheck.is_some()),
            ("PortMappings", self.port.is_some()),
            ("Secrets", self.secrets.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
    }
}

/// Checks the containers, and which waits for which. The service's own is called like it.
pub(super) fn check(
    sidecars: &BTreeMap<String, Spanned<Sidecar>>,
    image: &Spanned<Image>,
    name: Option<&Spanned<String>>,
) -> Result<(), Wrong> {
    let own = name.map_or("", |it| it.value.as_str());
    let mut ports = BTreeMap::from_iter(image.value.port.as_ref().map(|it| (it.value, own)));
    for (name, sidecar) in sidecars {
        let wrong = |what: String| Err((sidecar.referenced, format!("sidecars.{name}: {what}")));
        let has_image = match &sidecar.value.image {
            Some(ShortOr::Short(image)) => !image.is_empty(),
            Some(ShortOr::Long(it)) => it.build.is_some() != it.location.is_some(),
            None => false,
        };
        if !has_image {
            return wrong("image: it needs one, a location or a build".to_owned());
        }
        if let Some(port) = &sidecar.value.port
            && let Some(other) = ports.insert(port.value.0, name)
        {
            return wrong(format!("port: {other} has {} too", port.value.0));
        }
    }
    let waits = |name: &str| match sidecars.get(name) {
        Some(sidecar) => sidecar.value.depends_on.as_ref(),
        None => image.value.depends_on.as_ref(),
    };
    for name in sidecars.keys().map(String::as_str).chain([own]) {
        for (other, condition) in waits(name).into_iter().flatten() {
            let wrong = |what: &str| {
                let key = if name == own { "image".to_owned() } else { format!("sidecars.{name}") };
                Err((condition.referenced, format!("{key}.depends_on.{other}: {what}")))
            };
            let is_essential = match sidecars.get(other) {
                Some(sidecar) => sidecar.value.essential != Some(false),
                None if other == own => true,
                None => return wrong("there is no such container"),
            };
            let ends = [Condition::Complete, Condition::Success].contains(&condition.value);
            if is_essential && ends {
                return wrong("it is essential and must not end: start or healthy");
            }
            if reaches(other, name, &waits, sidecars.len() + 1) {
                return wrong("the containers wait for one another in a circle");
            }
        }
    }
    Ok(())
}

/// Whether `from` waits for `to`, over so many others at most.
fn reaches<'a>(
    from: &str,
    to: &str,
    waits: &impl Fn(&str) -> Option<&'a DependsOn>,
    depth: usize,
) -> bool {
    from == to
        || depth > 0
            && waits(from).into_iter().flatten().any(|(it, _)| reaches(it, to, waits, depth - 1))
}
