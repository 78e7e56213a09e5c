//! The types of values: what Copilot's own code refuses is refused. `verdicts` has what it takes.

use super::{FULFILMENT, PUBLISHER, found};

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
