//! `network.vpc` of an environment: one that exists, or how Copilot makes one.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};

use crate::{
    bare,
    copilot::manifest::address::AddressRange,
    yaml::{ShortOr, wrong},
};

/// The network of an environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vpc {
    id: Option<String>,
    cidr: Option<AddressRange>,
    #[serde(default)]
    subnets: Subnets,
    #[serde(default, rename = "security_group")]
    _security_group: Option<SecurityGroup>,
    #[serde(default, rename = "flow_logs")]
    _flow_logs: Option<ShortOr<bool, FlowLogs>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Subnets {
    public: Vec<Subnet>,
    private: Vec<Subnet>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subnet {
    id: Option<String>,
    cidr: Option<AddressRange>,
    az: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecurityGroup {
    #[serde(default, rename = "ingress")]
    _ingress: Vec<Rule>,
    #[serde(default, rename = "egress")]
    _egress: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(rename = "cidr")]
    _cidr: String,
    #[serde(rename = "ports")]
    _ports: Ports,
    #[serde(rename = "ip_protocol")]
    _ip_protocol: String,
}

/// A port, or a range of ports such as `0-65535`.
#[derive(Clone, Debug)]
struct Ports;

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (from, to) = text.split_once('-').unwrap_or((&text, &text));
        match (from.parse::<u32>(), to.parse::<u32>()) {
            (Ok(from), Ok(to)) if from <= to => Ok(Self),
            _ => Err(wrong(format!("{text:?} is not a port, or a range such as 0-65535"))),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowLogs {
    #[serde(default, rename = "retention", deserialize_with = "bare::optional")]
    _retention: Option<u32>,
}

impl Vpc {
    /// The ids of the subnets, if the network exists already.
    pub fn imported_subnets(&self) -> Vec<&String> {
        let imported = self.id.as_ref().map(|_| self.all().filter_map(|it| it.id.as_ref()));
        imported.into_iter().flatten().collect()
    }

    fn all(&self) -> impl Iterator<Item = &Subnet> {
        self.subnets.public.iter().chain(&self.subnets.private)
    }

    /// Whether Copilot takes it.
    ///
    /// # Errors
    ///
    /// A sentence, beginning with its key, if it does not.
    pub fn check(&self) -> Result<(), String> {
        let (public, private) = (&self.subnets.public, &self.subnets.private);
        if self.all().any(|it| it.id.is_some() && (it.cidr.is_some() || it.az.is_some())) {
            return Err("subnets: id excludes cidr and az".to_owned());
        }
        match (&self.id, &self.cidr) {
            (Some(_), Some(_)) => Err("id: it excludes cidr".to_owned()),
            (Some(_), None) if self.all().any(|it| it.id.is_none()) => {
                Err("subnets: those of a network that exists need their id".to_owned())
            }
            (Some(_), None) if public.is_empty() && private.is_empty() => {
                Err("subnets: a network that exists needs some".to_owned())
            }
            (Some(_), None) if public.len() == 1 || private.len() == 1 => {
                Err("subnets: at least two are needed".to_owned())
            }
            (None, Some(_)) => self.check_zones(),
            _ => Ok(()),
        }
    }

    /// Either no subnet has a zone, or there is one for each in both lists.
    fn check_zones(&self) -> Result<(), String> {
        let zones = |subnets: &[Subnet]| -> BTreeSet<String> {
            subnets.iter().filter_map(|it| it.az.clone()).collect()
        };
        let (public, private) = (&self.subnets.public, &self.subnets.private);
        let count = zones(public).len();
        match () {
            () if self.all().any(|it| it.cidr.is_none()) => {
                Err("subnets: those that Copilot makes need their cidr".to_owned())
            }
            () if zones(public) != zones(private) => {
                Err("subnets: public and private ones have to be in the same zones".to_owned())
            }
            () if count == 1 => Err("subnets: at least two zones are needed".to_owned()),
            () if count > 0 && (public.len() != count || private.len() != count) => {
                Err("subnets: each zone needs one of each kind".to_owned())
            }
            () => Ok(()),
        }
    }
}
