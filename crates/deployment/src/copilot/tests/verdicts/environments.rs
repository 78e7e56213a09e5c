//! Environments, and the names and certificates of load balancers.

use super::{
    ENVIRONMENT, Edit, PUBLISHER,
    Verdict::{Refused, Taken},
    check,
};

macro_rules! http {
    ($lines:literal) => {
        (PUBLISHER, "  path: \"/\"", concat!("  path: \"/\"\n", $lines))
    };
}

macro_rules! environment {
    ($lines:literal) => {
        (ENVIRONMENT, "observability:", concat!($lines, "\nobservability:"))
    };
}

const CERTIFICATE: Edit = environment!(
    "http: {public: {certificates: ['arn:aws:acm:eu-west-1:123456789012:certificate/1']}}"
);

#[test]
fn names_and_certificates() {
    const ZONE: Edit = http!("  alias: [{name: a.example, hosted_zone: Z1}]");
    check(&[
        (&[http!("  alias: a.example")], Taken),
        (&[http!("  alias: [a.example, b.example]\n  redirect_to_https: true")], Taken),
        (&[CERTIFICATE, http!("  alias: a.example\n  hosted_zone: Z1")], Taken),
        (&[CERTIFICATE, ZONE], Taken),
        (&[ZONE], Refused("http.alias.hosted_zone: it needs http.public.certificates")),
        (&[CERTIFICATE], Refused("http.alias: it is missing, and the environment has")),
        (&[http!("  alias: [{hosted_zone: Z1}]")], Refused("name")),
        (&[http!("  alias: [a, b, c, d, e]")], Refused("http.alias: with allowed_source_ips")),
        (
            &[http!("  alias: [a, b, c]\n  allowed_source_ips: [10.0.0.0/8, 1.0.0.0/8]")],
            Refused("a rule of the load balancer takes 4"),
        ),
        (&[http!("  allowed_source_ips: [10.0.0.0/8]")], Taken),
        (&[http!("  allowed_source_ips: [10.0.0.0]")], Refused("is not a range such as")),
        (&[http!("  hosted_zone: Z1")], Refused("http.hosted_zone: it needs http.alias")),
        (&[http!("  redirect_to_https: \"true\"")], Refused("redirect_to_https")),
        (
            &[environment!("http: {public: {certificates: [mine]}}")],
            Refused("\"mine\" is not the ARN of a certificate"),
        ),
        (
            &[environment!("cdn: {certificate: 'arn:aws:acm:eu-west-1:1:certificate/1'}")],
            Refused("cdn.certificate: it has to be one of us-east-1"),
        ),
        (
            &[environment!("cdn: {certificate: 'arn:aws:acm:us-east-1:1:certificate/1'}")],
            Refused("cdn.terminate_tls: it has to be true"),
        ),
        (&[environment!("cdn: true")], Taken),
        (&[environment!("cdn: maybe")], Refused("cdn")),
        (
            &[environment!("http: {public: {ingress: {cdn: true}}}")],
            Refused("http.public.ingress.cdn: it needs a cdn"),
        ),
        (&[environment!("http: {public: {ingress: {source_ips: [10.0.0.0/8]}}}")], Taken),
        (&[environment!("http: {public: {access_logs: true, ssl_policy: a}}")], Taken),
    ]);
}

#[test]
fn the_network_of_an_environment() {
    check(&[
        (
            &[environment!(
                "network: {vpc: {id: vpc-1, subnets: {public: [{id: a}, {id: b}], private: \
                 [{id: c}, {id: d}]}}}"
            )],
            Taken,
        ),
        (
            &[environment!("network: {vpc: {id: vpc-1}}")],
            Refused("network.vpc.subnets: a network that exists needs some"),
        ),
        (
            &[environment!("network: {vpc: {id: vpc-1, subnets: {public: [{id: a}]}}}")],
            Refused("network.vpc.subnets: at least two are needed"),
        ),
        (
            &[environment!(
                "network: {vpc: {id: vpc-1, subnets: {public: [{cidr: 10.0.0.0/24}, {id: b}]}}}"
            )],
            Refused("those of a network that exists need their id"),
        ),
        (
            &[environment!("network: {vpc: {id: vpc-1, cidr: 10.0.0.0/16}}")],
            Refused("network.vpc.id: it excludes cidr"),
        ),
        (
            &[environment!(
                "network: {vpc: {cidr: 10.0.0.0/16, subnets: {public: [{cidr: 10.0.0.0/24, az: \
                 a}, {cidr: 10.0.1.0/24, az: b}], private: [{cidr: 10.0.2.0/24, az: a}, {cidr: \
                 10.0.3.0/24, az: b}]}}}"
            )],
            Taken,
        ),
        (
            &[environment!(
                "network: {vpc: {cidr: 10.0.0.0/16, subnets: {public: [{cidr: 10.0.0.0/24, az: \
                 a}], private: [{cidr: 10.0.2.0/24, az: b}]}}}"
            )],
            Refused("public and private ones have to be in the same zones"),
        ),
        (
            &[environment!(
                "network: {vpc: {cidr: 10.0.0.0/16, subnets: {public: [{cidr: 10.0.0.0/24, az: \
                 a}], private: [{cidr: 10.0.2.0/24, az: a}]}}}"
            )],
            Refused("network.vpc.subnets: at least two zones are needed"),
        ),
        (
            &[environment!(
                "network: {vpc: {cidr: 10.0.0.0/16, subnets: {public: [{cidr: 10.0.0.0/24, az: \
                 a}, {cidr: 10.0.1.0/24, az: b}, {cidr: 10.0.4.0/24, az: b}], private: [{cidr: \
                 10.0.2.0/24, az: a}, {cidr: 10.0.3.0/24, az: b}]}}}"
            )],
            Refused("network.vpc.subnets: each zone needs one of each kind"),
        ),
        (
            &[environment!("network: {vpc: {subnets: {public: [{id: a, az: b}]}}}")],
            Refused("network.vpc.subnets: id excludes cidr and az"),
        ),
        (&[environment!("network: {vpc: {cidr: 10.0.0.0}}")], Refused("is not a range such as")),
        (&[environment!("network: {vpc: {flow_logs: {retention: 14}}}")], Taken),
        (
            &[environment!(
                "network: {vpc: {security_group: {ingress: [{cidr: 0.0.0.0/0, ports: 0-65535, \
                 ip_protocol: tcp}]}}}"
            )],
            Taken,
        ),
        (
            &[environment!("network: {vpc: {security_group: {egress: [{ports: 80}]}}}")],
            Refused("cidr"),
        ),
        (
            &[environment!("http: {private: {subnets: [a]}}")],
            Refused("http.private.subnets: network.vpc does not import a"),
        ),
    ]);
}
