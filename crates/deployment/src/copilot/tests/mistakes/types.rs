//! The types of values: what Copilot's own code refuses is refused, and what it takes is taken.

use std::fs;

use super::{Copy, FULFILMENT, PUBLISHER, found};
use crate::copilot::read;

/// Copilot decodes strictly: quotes make a text of a number.
#[test]
fn numbers_and_flags_in_quotes_are_found() {
    let pipeline = "pipelines/pubsub-main/manifest.yml";
    let cases = [
        (FULFILMENT, "cpu: 256", "cpu: \"256\""),
        (FULFILMENT, "memory: 512", "memory: \"512\""),
        (FULFILMENT, "tries: 10", "tries: \"10\""),
        (FULFILMENT, "    retries: 3", "    retries: \"3\""),
        (FULFILMENT, "  retention: 14", "  retention: \"14\""),
        (FULFILMENT, "readonly_fs: true", "readonly_fs: \"true\""),
        (FULFILMENT, "exec: false", "exec: \"false\""),
        (PUBLISHER, "port: 5000", "port: \"5000\""),
        (PUBLISHER, "  requests: 11646", "  requests: \"11646\""),
        (PUBLISHER, "    healthy_threshold: 2", "    healthy_threshold: \"2\""),
        (PUBLISHER, "unhealthy_threshold: 3", "unhealthy_threshold: \"3\""),
        (pipeline, "version: 1", "version: \"1\""),
    ];
    for (file, old, new) in cases {
        let key = new.trim().split(':').next().unwrap();
        found(&[(file, old, new)], file, new, key);
    }
}

#[test]
fn a_duration_without_quotes_or_unit_is_found_even_if_it_is_zero() {
    for new in ["timeout: 0 #", "timeout: 60 #", "timeout: 1.5 #"] {
        found(&[(FULFILMENT, "timeout: 60s", new)], FULFILMENT, new, "timeout");
    }
}

#[test]
fn values_that_copilot_takes_are_taken() {
    let cases = [
        (FULFILMENT, "tracing: awsxray", "tracing: AWSXRAY"),
        (FULFILMENT, "platform: linux/arm64", "platform: Linux/X86_64"),
        (FULFILMENT, "rolling: default", "rolling: Default"),
        (FULFILMENT, "rolling: recreate", "rolling: Recreate"),
        (FULFILMENT, "timeout: 60s", "timeout: \"0\""),
        (FULFILMENT, "HEALTH_PORT: \"8081\"", "HEALTH_PORT: 8081"),
    ];
    for (file, old, new) in cases {
        let copy = Copy::new();
        let path = copy.0.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{file} has no {old:?}");
        fs::write(&path, text.replacen(old, new, 1)).unwrap();
        let deployment = read(&copy.0, "test").unwrap_or_else(|mistake| panic!("{new}: {mistake}"));
        assert!(deployment.service("fulfilment").is_some());
    }
}
