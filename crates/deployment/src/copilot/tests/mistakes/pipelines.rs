//! Mistakes in pipelines.

use super::found_in;

#[test]
fn mistakes_in_a_pipeline_are_found() {
    let file = "pipelines/pubsub-main/manifest.yml";
    let last = "      history:\n        depends_on: [publisher, fulfilment, promotion]\n";
    let cases = [
        ("name: pubsub-main", "name: main", "name: main", "but its directory is \"pubsub-main\""),
        ("version: 1", "version: 2", "version: 2", "version: Copilot needs one"),
        ("version: 1\n", "", "name: pubsub-main", "version: Copilot needs one"),
        ("provider: GitHub", "provider: Gitlab", "  provider", "Gitlab"),
        ("- name: test", "- name: tset", "- name: tset", "there is no environment \"tset\""),
        (
            "- name: test",
            "- name: test\n    require_approval: true",
            "    require_approval",
            "require_approval",
        ),
        ("history:", "histories:", "histories:", "there is no service \"histories\""),
        (last, "", "- name: test", "stages.deployments: history is missing"),
        ("[publisher]", "[publishr]", "        depends_on", "deploys no \"publishr\" before it"),
        (
            "        depends_on: [publisher]\n",
            "",
            "      fulfilment:",
            "it subscribes to a topic of publisher, so it depends on it",
        ),
    ];
    found_in(file, &cases);

    let file = "pipelines/pubsub-main/buildspec.yml";
    let cases = [
        ("version: 0.2", "version: 0.3", "version", "version: it should be 0.2"),
        ("KIT: \"1\"", "KIT: \"0\"", "    DOCKER_B", "docker has no cache mounts"),
        ("v1.33.4", "v1.34.1", "    COPILOT_V", "the overrides are checked against v1.33.x"),
        ("ABORT # other", "CONTINUE # other", "  install:", "a build that failed its tests"),
        ("    commands:", "    command:", "    command:", "command"),
    ];
    found_in(file, &cases);
}
