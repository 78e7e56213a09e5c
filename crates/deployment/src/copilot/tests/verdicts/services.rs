//! The manifests of services.

use std::fs;

use super::{
    Edit, FULFILMENT, PUBLISHER,
    Verdict::{Refused, Taken, Unsupported},
    check,
};
use crate::copilot::tests::real;

/// Adds lines before `platform:` in the manifest of fulfilment.
macro_rules! fulfilment {
    ($lines:literal) => {
        &[(FULFILMENT, "platform:", concat!($lines, "\nplatform:"))]
    };
}

macro_rules! http {
    ($lines:literal) => {
        (PUBLISHER, "  path: \"/\"", concat!("  path: \"/\"\n", $lines))
    };
}

#[test]
fn values_of_other_kinds() {
    check(&[
        (&[(FULFILMENT, "tracing: awsxray", "tracing: AWSXRAY")], Taken),
        (&[(FULFILMENT, "platform: linux/arm64", "platform: Linux/X86_64")], Taken),
        (&[(FULFILMENT, "rolling: default", "rolling: Default")], Taken),
        (&[(FULFILMENT, "rolling: recreate", "rolling: Recreate")], Taken),
        (&[(FULFILMENT, "timeout: 60s", "timeout: \"0\"")], Taken),
        (&[(FULFILMENT, "timeout: 60s", "timeout: 0")], Refused("timeout")),
        (&[(FULFILMENT, "HEALTH_PORT: \"8081\"", "HEALTH_PORT: 8081")], Taken),
        (&[(FULFILMENT, "HEALTH_PORT: \"8081\"", "HEALTH_PORT: ~")], Taken),
        (&[(FULFILMENT, "HEALTH_PORT: \"8081\"", "HEALTH_PORT: [1]")], Refused("HEALTH_PORT")),
        (&[(FULFILMENT, "HEALTH_PORT: \"8081\"", "HEALTH_PORT: {from_cfn: a}")], Unsupported),
    ]);
}

#[test]
fn spot_instead_of_a_range_in_an_environment_and_the_reverse() {
    const X86: Edit = (FULFILMENT, "linux/arm64", "linux/amd64");
    let range = "    count:\n      range: 0-2";
    let manifest = fs::read_to_string(real().join(FULFILMENT)).unwrap();
    let start = manifest.find("count:").unwrap();
    let base: &'static str = manifest[start..manifest.find("exec:").unwrap()].to_owned().leak();
    // The patches of a scaling service do not fit one that does not scale.
    check(&[
        (&[X86, (FULFILMENT, range, "    count:\n      spot: 2")], Refused("(environment test)")),
        (
            &[X86, (FULFILMENT, base, "count:\n  spot: 2\n")],
            Refused("count.range: it needs a metric"),
        ),
        (
            &[
                X86,
                (FULFILMENT, base, "count:\n  spot: 2\n"),
                (
                    FULFILMENT,
                    "range: 0-2",
                    "range: 0-2\n      queue_delay: {acceptable_latency: 1m, \
                     msg_processing_time: 1ms}",
                ),
            ],
            Taken,
        ),
        (
            &[X86, (FULFILMENT, range, "    count:\n      range: 0-2\n      spot: 2")],
            Refused("count.spot excludes it"),
        ),
    ]);
}

#[test]
fn what_a_local_account_cannot_do() {
    check(&[
        (fulfilment!("command: [\"a\"]"), Unsupported),
        (fulfilment!("entrypoint: a b"), Unsupported),
        (fulfilment!("env_file: a.env"), Unsupported),
        (fulfilment!("taskdef_overrides: [{path: Cpu, value: 512}]"), Unsupported),
        (&[(FULFILMENT, "readonly_fs: true", "readonly_fs: true\n  volumes: {}")], Unsupported),
        (&[(FULFILMENT, "retention: 14", "retention: 14\n  image: a")], Unsupported),
        (&[(FULFILMENT, "rolling: default", "rollback_alarms: [a]")], Unsupported),
        (&[(FULFILMENT, "    - name: ping", "    - queue: true\n      name: ping")], Unsupported),
        (&[(FULFILMENT, "  healthcheck:", "  labels: {a: b}\n  healthcheck:")], Unsupported),
        (&[(FULFILMENT, "exec: false", "exec: {enable: true}")], Unsupported),
        (&[(FULFILMENT, "linux/arm64", "{osfamily: linux, architecture: arm64}")], Unsupported),
        (&[(FULFILMENT, "  test:", "  test:\n    env_file: a.env")], Unsupported),
        (&[(PUBLISHER, "secrets:", "secrets:\n  A: {from_cfn: a}\n#")], Unsupported),
        (&[http!("  version: grpc")], Unsupported),
        (&[http!("  alb: mine")], Unsupported),
        (&[http!("  additional_rules: [{path: a}]")], Unsupported),
        (&[http!("  target_container: nginx")], Unsupported),
        (&[(PUBLISHER, "platform:", "nlb: {port: 80/tcp}\nplatform:")], Unsupported),
        (&[(FULFILMENT, "type: Worker Service", "type: Backend Service")], Unsupported),
        (&[(FULFILMENT, "linux/arm64", "windows/amd64")], Unsupported),
        (fulfilment!("comand: a"), Refused("unknown field `comand`")),
    ]);
}

#[test]
fn the_network_of_a_service() {
    check(&[
        (fulfilment!("network: {vpc: {placement: private}}"), Taken),
        (fulfilment!("network: {vpc: {placement: Private}}"), Refused("placement")),
        (fulfilment!("network: {vpc: {placement: {subnets: [subnet-1, subnet-2]}}}"), Taken),
        (fulfilment!("network: {vpc: {placement: {subnets: {from_tags: {a: b}}}}}"), Taken),
        (fulfilment!("network: {vpc: {placement: {subnets: {from_tags: {a: [b, c]}}}}}"), Taken),
        (fulfilment!("network: {vpc: {placement: {subnet: [a]}}}"), Refused("subnet")),
        (fulfilment!("network: {vpc: {security_groups: [sg-1, {from_cfn: a}]}}"), Taken),
        (fulfilment!("network: {vpc: {security_groups: [{from_cfn: ''}]}}"), Refused("from_cfn")),
        (
            fulfilment!("network: {vpc: {security_groups: {groups: [a], deny_default: true}}}"),
            Taken,
        ),
        (fulfilment!("network: {connect: true}"), Taken),
        (fulfilment!("network: {connect: {alias: a}}"), Refused("network.connect.alias")),
        (&[(PUBLISHER, "platform:", "network: {connect: {alias: a}}\nplatform:")], Taken),
        (fulfilment!("network: {vcp: {placement: private}}"), Refused("vcp")),
    ]);
}

#[test]
fn containers_beside_the_own_one() {
    check(&[
        (fulfilment!("sidecars: {nginx: {image: nginx, port: 80, variables: {A: 010}}}"), Taken),
        (fulfilment!("sidecars: {nginx: {image: {location: nginx}, port: 80/udp}}"), Taken),
        (fulfilment!("sidecars: {nginx: {image: nginx, command: [a], labels: {a: b}}}"), Taken),
        (fulfilment!("sidecars: {nginx: {port: 80}}"), Refused("sidecars.nginx: image")),
        (
            fulfilment!("sidecars: {nginx: {image: {location: a, build: b}}}"),
            Refused("sidecars.nginx: image"),
        ),
        (fulfilment!("sidecars: {nginx: {image: a, port: 80/icmp}}"), Refused("is not a port")),
        (
            fulfilment!("sidecars: {a: {image: a, port: 80}, b: {image: b, port: 80}}"),
            Refused("sidecars.b: port: a has 80 too"),
        ),
        (fulfilment!("sidecars: {a: {image: a, env_file: b.env}}"), Unsupported),
        (fulfilment!("sidecars: {a: {image: a, essential: \"no\"}}"), Refused("essential")),
        (fulfilment!("sidecars: {a: {image: a, depends_on: {fulfilment: START}}}"), Taken),
        (
            fulfilment!("sidecars: {a: {image: a, depends_on: {b: start}}}"),
            Refused("sidecars.a.depends_on.b: there is no such container"),
        ),
        (
            fulfilment!("sidecars: {a: {image: a, depends_on: {fulfilment: started}}}"),
            Refused("is not start, complete, success or healthy"),
        ),
        (
            fulfilment!("sidecars: {a: {image: a, depends_on: {fulfilment: complete}}}"),
            Refused("it is essential and must not end"),
        ),
        (
            &[
                (FULFILMENT, "  healthcheck:", "  depends_on: {a: start}\n  healthcheck:"),
                (
                    FULFILMENT,
                    "platform:",
                    "sidecars: {a: {image: a, depends_on: {fulfilment: start}}}\nplatform:",
                ),
            ],
            Refused("wait for one another in a circle"),
        ),
    ]);
}
