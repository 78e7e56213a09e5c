//! Policies with language that is not understood, in addons and in patches.

use super::{found, found_in};

const ORDERS: &str = "publisher/addons/ordersTable.yml";
const WEBHOOKS: &str = "publisher/addons/webhooksTable.yml";
const STATUS: &str = "publisher/addons/statusQueue.yml";
const PATCHES: &str = "fulfilment/overrides/cfn.patches.yml";

#[test]
fn language_that_no_policy_has_is_found() {
    let cases = [
        ("Version: '2012", "Version: '2021", "Version: '2021", "PolicyDocument.Version: should be"),
        ("Effect: Allow", "Efect: Allow", "Efect", "Statement[0].Efect: not understood here"),
        ("Effect: Allow", "Effect: Alow", "Effect: Alow", "Effect: should be Allow or Deny"),
        (
            "            Action:",
            "            Actions:",
            "Actions:",
            "Statement[0].Actions: not und",
        ),
        ("dynamodb:GetItem", "dynamodb.GetItem", "dynamodb.GetItem", "Statement[0].Action: should"),
        ("PolicyDocument:", "PolicyDocumnt:", "PolicyDocumnt", "PolicyDocumnt"),
        (
            "Effect: Allow",
            "Effect: Allow\n            Principal: '*'",
            "Principal",
            "Principal: not",
        ),
        (
            "Effect: Allow",
            "Effect: Allow\n            NotAction: '*'",
            "NotAction",
            "Action excludes",
        ),
    ];
    found_in(ORDERS, &cases);
    let cases = [
        ("ArnLike:", "ArnLick:", "ArnLick", "Condition.ArnLick: this operator is not understood"),
        ("aws:SourceArn", "aws:SourceAm", "aws:SourceAm", "aws:SourceAm: no call here has a value"),
        ("Service: sns", "Servce: sns", "Servce", "Principal.Servce: not understood here"),
    ];
    found_in(STATUS, &cases);
}

#[test]
fn a_resource_that_is_not_an_arn_is_found() {
    let resource = "            Resource: !GetAtt webhooksTable.Arn";
    let cases = [
        (
            resource,
            "            Resource: !Ref webhooksTable",
            "!Ref webhooksTable\n  ",
            "or an ARN",
        ),
        (resource, "            Resource: !GetAtt orders.Arn", "!GetAtt orders.Arn", "no resource"),
        (
            resource,
            "            Resource: !Sub '${!aws:userid}'",
            "!Sub '${!aws",
            "variables of pol",
        ),
    ];
    found_in(WEBHOOKS, &cases);
}

#[test]
fn a_policy_that_copilot_does_not_attach_is_found() {
    let output = "  ordersTableAccessPolicy: # a managed";
    let edit = (ORDERS, output, "  other: {Value: x}\n  ordersTableAccessPolicy: # a managed");
    let renamed = (ORDERS, "Value: !Ref ordersTableAccessPolicy", "Value: !Ref ordersTable");
    let place = "Metadata:\n      'aws:copilot:description': 'Read and write";
    found(&[edit, renamed], ORDERS, place, "Copilot attaches a policy only if an output is");
}

#[test]
fn patches_of_permissions_that_are_not_understood_are_found() {
    let add = |path: &str, value: &str| {
        format!("- op: add\n  path: /Resources/{path}\n  value: {value}\n# What")
    };
    let policies = "TaskRole/Properties/Policies/-";
    let document = |statement: &str| {
        format!(
            "{{PolicyName: a, PolicyDocument: {{Version: '2012-10-17', Statement: {statement}}}}}"
        )
    };
    let cases = [
        (add("TaskRole/Properties/PermissionsBoundary", "'arn:x'"), "'arn:x'", "by their ARN"),
        (add(policies, "{PolicyName: a}"), "{PolicyName: a}", "has a PolicyName and a PolicyDocum"),
        (add(policies, &document("{Effct: Allow}")), "Effct", "Statement[0].Effct: not understood"),
        (add("More", "{Type: 'AWS::IAM::Policy'}"), "{Type", "AWS::IAM::Policy is not understood"),
    ];
    for (patch, marker, what) in cases {
        found(&[(PATCHES, "# What", &patch)], PATCHES, marker, what);
    }
    let misspelt =
        [("value: sqs:Change", "value: sqs.Change", "sqs.Change", "Action: should be a")];
    found_in(PATCHES, &misspelt);
}
