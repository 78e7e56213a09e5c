//! What the manifest of an environment says: its network, its load balancers and certificates.

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

use super::network::Vpc;
use crate::{bare, copilot::manifest::address::AddressRange, mistake::Wrong, yaml::ShortOr};

/// The region of the certificates of CloudFront.
const CDN_REGION: &str = "us-east-1";

/// The settings of an environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name.
    pub name: Spanned<String>,
    #[serde(rename = "type")]
    _type: Type,
    #[serde(default, rename = "observability")]
    _observability: Option<Observability>,
    #[serde(default)]
    network: Network,
    #[serde(default)]
    http: Http,
    cdn: Option<Spanned<ShortOr<bool, Cdn>>>,
}

#[derive(Clone, Debug, Deserialize)]
enum Type {
    Environment,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Observability {
    #[serde(default, rename = "container_insights", deserialize_with = "bare::optional")]
    _container_insights: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    vpc: Option<Spanned<Vpc>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    public: Public,
    private: Private,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Public {
    certificates: Option<Vec<Certificate>>,
    #[serde(rename = "access_logs")]
    _access_logs: Option<ShortOr<bool, AccessLogs>>,
    ingress: Ingress,
    #[serde(rename = "ssl_policy")]
    _ssl_policy: Option<String>,
    /// Its old name for `ingress`.
    #[serde(rename = "security_groups")]
    _security_groups: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AccessLogs {
    #[serde(rename = "bucket_name")]
    _bucket_name: Option<String>,
    #[serde(rename = "prefix")]
    _prefix: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ingress {
    #[serde(deserialize_with = "bare::spanned")]
    cdn: Option<Spanned<bool>>,
    #[serde(rename = "source_ips")]
    _source_ips: Vec<AddressRange>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Private {
    #[serde(rename = "certificates")]
    _certificates: Option<Vec<Certificate>>,
    subnets: Option<Spanned<Vec<String>>>,
    #[serde(rename = "ingress")]
    _ingress: Option<PrivateIngress>,
    #[serde(rename = "ssl_policy")]
    _ssl_policy: Option<String>,
    /// Its old name for `ingress`.
    #[serde(rename = "security_groups")]
    _security_groups: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateIngress {
    #[serde(default, rename = "vpc", deserialize_with = "bare::optional")]
    _vpc: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Cdn {
    certificate: Option<Certificate>,
    #[serde(deserialize_with = "bare::optional")]
    terminate_tls: Option<bool>,
    #[serde(rename = "static_assets")]
    _static_assets: Option<StaticAssets>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StaticAssets {
    #[serde(rename = "location")]
    _location: String,
    #[serde(rename = "alias")]
    _alias: String,
    #[serde(rename = "path")]
    _path: String,
}

/// The ARN of a certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Certificate {
    region: String,
}

impl TryFrom<String> for Certificate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.splitn(6, ':').collect::<Vec<_>>()[..] {
            ["arn", _, _, region, _, _] => Ok(Self { region: region.to_owned() }),
            _ => Err(format!("{text:?} is not the ARN of a certificate")),
        }
    }
}

impl Settings {
    /// Whether its load balancer or its CDN has certificates that were not made by Copilot.
    pub fn has_certificates(&self) -> bool {
        let own = self.http.public.certificates.as_ref().is_some_and(|it| !it.is_empty());
        own || self.cdn().is_some_and(|cdn| cdn.certificate.is_some())
    }

    fn cdn(&self) -> Option<&Cdn> {
        match &self.cdn.as_ref()?.value {
            ShortOr::Long(cdn) => Some(cdn),
            ShortOr::Short(_) => None,
        }
    }

    /// Checks the settings with each other.
    ///
    /// # Errors
    ///
    /// The first that Copilot would refuse.
    pub fn check(&self) -> Result<(), Wrong> {
        if let Some(vpc) = &self.network.vpc {
            vpc.value.check().map_err(|what| (vpc.referenced, format!("network.vpc.{what}")))?;
        }
        self.check_cdn()?;
        let Some(subnets) = &self.http.private.subnets else { return Ok(()) };
        let imported = self.network.vpc.as_ref().map(|it| it.value.imported_subnets());
        let is_imported = |it: &String| imported.iter().flatten().any(|imported| *imported == it);
        match subnets.value.iter().find(|it| !is_imported(it)) {
            Some(other) => {
                let what = format!("http.private.subnets: network.vpc does not import {other}");
                Err((subnets.referenced, what))
            }
            None => Ok(()),
        }
    }

    fn check_cdn(&self) -> Result<(), Wrong> {
        let is_on = match self.cdn.as_ref().map(|it| &it.value) {
            Some(ShortOr::Short(on)) => *on,
            Some(ShortOr::Long(_)) => true,
            None => false,
        };
        if let Some(only) = self.http.public.ingress.cdn.as_ref().filter(|it| it.value && !is_on) {
            let what = "http.public.ingress.cdn: it needs a cdn";
            return Err((only.referenced, what.to_owned()));
        }
        let Some(cdn) = self.cdn.as_ref().filter(|_| is_on) else { return Ok(()) };
        let certificate = self.cdn().and_then(|it| it.certificate.as_ref());
        let terminates = self.cdn().is_some_and(|it| it.terminate_tls == Some(true));
        let what = match (certificate, &self.http.public.certificates) {
            (Some(it), _) if it.region != CDN_REGION => {
                format!("cdn.certificate: it has to be one of {CDN_REGION}")
            }
            (None, Some(_)) => "cdn.certificate: http.public.certificates need it too".to_owned(),
            (Some(_), None) if !terminates => {
                "cdn.terminate_tls: it has to be true without http.public.certificates".to_owned()
            }
            _ => return Ok(()),
        };
        Err((cdn.referenced, what))
    }
}
