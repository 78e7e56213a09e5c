//! Filter policies, patches and pipelines.

use super::{
    PATCHES, PIPELINE, PROMOTION,
    Verdict::{Refused, Taken},
    check,
};

/// A patch before those of fulfilment.
macro_rules! patch {
    ($operation:literal, $path:literal) => {
        &[(
            PATCHES,
            "# What",
            concat!("- op: ", $operation, "\n  path: ", $path, "\n  value: x\n# What"),
        )]
    };
}

#[test]
fn filters_and_functions() {
    const POLICY: &str = "              - 80";
    check(&[
        (&[(PROMOTION, POLICY, "              - 80\n        kind: [{anything-but: a}]")], Taken),
        (&[(PROMOTION, POLICY, "              - 80\n        kind: [{anything-but: [a]}]")], Taken),
        (&[(PROMOTION, POLICY, "              - 80\n        kind: [{wildcard: a*}]")], Taken),
        (
            &[(PROMOTION, POLICY, "              - 80\n        kind: [{wildcards: a*}]")],
            Refused(""),
        ),
        (&[(PATCHES, "  value: 60", "  value: !If [HasEnvFile, 60, 30]")], Taken),
        (
            &[(
                PATCHES,
                "# What",
                "- op: add\n  path: /Resources/EventsQueue/Properties/QueueName\n  \
              value: !Join ['-', [!Ref AppName, a]]\n# What",
            )],
            Taken,
        ),
        (
            &[(PATCHES, "  value: 60", "  value: !If [HasEnvFile, !Ref Nothing, 30]")],
            Refused("has no Nothing here"),
        ),
    ]);
}

#[test]
fn patches_to_parts_of_the_template() {
    check(&[
        (patch!("add", "/Outputs/Name"), Refused("has no /Outputs here")),
        (
            patch!("add", "/Resources/AutoScalingRole/Properties/Policies/-"),
            Refused("Policies here"),
        ),
        (patch!("add", "/Metadata/Owner"), Taken),
        (patch!("replace", "/Conditions/HasAddons"), Taken),
        (patch!("replace", "/Conditions/HasDomain"), Refused("/Conditions/HasDomain here")),
        (patch!("add", "/Resources/EventsQueue/Metadata/Owner"), Taken),
        (patch!("add", "/Resources/QueuePolicy/Metadata/Owner"), Refused("Metadata here")),
        (patch!("replace", "/Resources/EnvControllerRole/Properties/Path"), Taken),
        (patch!("replace", "/Resources/AutoScalingRole/Properties/Path"), Refused("Path here")),
        (patch!("replace", "/Resources/EnvControllerRole/Properties/Policies/1/PolicyName"), Taken),
        (
            patch!("replace", "/Resources/TaskRole/Properties/ManagedPolicyArns/0"),
            Refused("ManagedPolicyArns here"),
        ),
        // Four of all containers, the topics, the queue, and nine of the manifest.
        (
            patch!(
                "replace",
                "/Resources/TaskDefinition/Properties/ContainerDefinitions/0/Environment/14/Value"
            ),
            Taken,
        ),
        (
            patch!(
                "replace",
                "/Resources/TaskDefinition/Properties/ContainerDefinitions/0/Environment/15/Value"
            ),
            Refused("Environment/15 here"),
        ),
        (
            patch!(
                "replace",
                "/Resources/AutoScalingPolicyEventsQueue/Properties/\
                 TargetTrackingScalingPolicyConfiguration/CustomizedMetricSpecification/Statistic"
            ),
            Taken,
        ),
        (
            patch!(
                "replace",
                "/Resources/AutoScalingPolicyECSServiceAverageCPUUtilization/Properties/\
                 TargetTrackingScalingPolicyConfiguration/CustomizedMetricSpecification/Statistic"
            ),
            Refused("CustomizedMetricSpecification here"),
        ),
        (
            &[(
                PATCHES,
                "# What",
                "- op: add\n  path: /Resources/orderStatusSNSTopic/Properties/\
              KmsMasterKeyId\n  value: !Ref EventsKMSKey\n# What",
            )],
            Refused("EventsKMSKey → TaskRole → orderStatusSNSTopic"),
        ),
        (
            &[(
                PATCHES,
                "# What",
                "- op: add\n  path: /Resources/EnvControllerAction/DependsOn\n  \
              value: Service\n# What",
            )],
            Refused("Service → EnvControllerAction → Service"),
        ),
    ]);
}

#[test]
fn pipelines() {
    const REPOSITORY: &str = "https://github.com/OWNER/REPOSITORY";
    check(&[
        (&[(PIPELINE, REPOSITORY, "OWNER/REPOSITORY")], Taken),
        (&[(PIPELINE, REPOSITORY, "OWNER")], Refused("source.properties.repository: \"OWNER\"")),
        (&[(PIPELINE, "provider: GitHub", "provider: CodeCommit")], Refused("repository")),
        (&[(PIPELINE, "provider: GitHub", "provider: GitHubV1")], Taken),
        (
            &[(PIPELINE, "      publisher:\n", "      publisher: {depends_on: [history]}\n")],
            Refused("the deployments wait for one another in a circle"),
        ),
        (&[(PIPELINE, "- name: test", "- name: test\n    test_commands: [make]")], Taken),
        (
            &[(
                PIPELINE,
                "- name: test",
                "- name: test\n    test_commands: [make]\n    post_deployments: \
                 {a: {buildspec: b}}",
            )],
            Refused("stages.test_commands: post_deployments exclude them"),
        ),
        (
            &[(PIPELINE, "- name: test", "- name: test\n    pre_deployments: {a: {}}")],
            Refused("buildspec"),
        ),
        (&[(PIPELINE, "      publisher:\n", "      publisher: {stack_name: a}\n")], Taken),
    ]);
}
