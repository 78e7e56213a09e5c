//! `network`: in which subnets tasks run, and how others reach them. A local account has no
//! network, so this is read to check it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{overlay::overlay, service_type::ServiceType};
use crate::{
    bare,
    mistake::Wrong,
    yaml::{ListOr, ShortOr, wrong},
};

/// The network of a service's tasks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    vpc: Option<Vpc>,
    connect: Option<Spanned<ShortOr<bool, Connect>>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vpc {
    placement: Option<ShortOr<Placement, Subnets>>,
    security_groups: Option<ListOr<ShortOr<String, Imported>, Groups>>,
}

/// `private` needs a NAT gateway, which Copilot makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Placement {
    Public,
    Private,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only to check it")]
struct Subnets {
    subnets: ListOr<String, Tagged>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only to check it")]
struct Tagged {
    from_tags: BTreeMap<String, ListOr<String, NoMap>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only to check it")]
struct Groups {
    #[serde(default)]
    groups: Vec<ShortOr<String, Imported>>,
    #[serde(default, deserialize_with = "bare::optional")]
    deny_default: Option<bool>,
}

/// The name of an output that another stack exports.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only to check it")]
struct Imported {
    from_cfn: NotEmpty,
}

#[derive(Clone, Debug)]
struct NotEmpty;

impl<'de> Deserialize<'de> for NotEmpty {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "" => Err(wrong("it should not be empty")),
            _ => Ok(Self),
        }
    }
}

/// What has no longer form than a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMap {}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only to check it")]
struct Connect {
    alias: String,
}

overlay!(Network: merges(vpc), replaces(connect));

overlay!(Vpc: merges(), replaces(placement, security_groups));

impl Network {
    /// Whether others reach it by the name of the service.
    pub(super) fn has_connect(&self) -> bool {
        let connect = self.connect.as_ref().map(|it| &it.value);
        connect.is_some_and(|it| !matches!(it, ShortOr::Short(false)))
    }

    /// Whether its tasks are in private subnets, so that Copilot makes a NAT gateway.
    pub(super) fn is_private(&self) -> bool {
        let placement = self.vpc.as_ref().and_then(|it| it.placement.as_ref());
        matches!(placement, Some(ShortOr::Short(Placement::Private)))
    }

    /// A worker is called by nobody.
    pub(super) fn check(&self, service_type: ServiceType) -> Result<(), Wrong> {
        match (&self.connect, service_type) {
            (Some(Spanned { value: ShortOr::Long(_), referenced, .. }), ServiceType::Worker) => {
                let what = "network.connect.alias: a Worker Service has none, because nobody \
                            calls it";
                Err((*referenced, what.to_owned()))
            }
            _ => Ok(()),
        }
    }
}
