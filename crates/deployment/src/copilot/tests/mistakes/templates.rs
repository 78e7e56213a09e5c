//! Patches and addons that do not fit the template that Copilot writes.

use super::{FULFILMENT, PROMOTION, found, found_in};

#[test]
fn patches_that_fit_nothing_are_found() {
    let file = "fulfilment/overrides/cfn.patches.yml";
    let cases = [
        ("/QueuePolicy/", "/QueuePolcy/", "  path", "has no /Resources/QueuePolcy here"),
        ("Statement/0/", "Statement/7/", "  path", "PolicyDocument/Statement/7 here"),
        ("  value: 60", "  value: 180", "  path: /Resources/TaskD", "Fargate waits 0 to 120 s"),
        ("/0/StopTimeout", "/0/PortMappings/-", "  path: /Resources/TaskD", "0/PortMappings here"),
        ("/StopTimeout", "/StopTimeot", "  path: /Resources/TaskD", "has no property StopTimeot"),
        ("tions/0/Stop", "tions/00/Stop", "  path: /Resources/TaskD", "Definitions/00 here"),
        ("/Runtime", "/Runtim", "  path: /Resources/Env", "Properties/Runtim here"),
        ("/EnvC", "/RulePriorityFunction/C", "  path: /Resources/Rule", "no /Resources/Rule"),
        ("op: replace", "op: remove", "- op: remove", "a patch that removes must not have a value"),
        ("Queue.QueueName", "Queu.QueueName", "Value: !GetAtt", "no DeadLetterQueu here"),
        (
            "# What",
            "- op: add\n  path: /Resources/TaskRole/Properties/Policies/-\n  value: {PolicyName: \
             queue, PolicyDocument: {Resource: !GetAtt EventsQueue.Arn}}\n# What",
            "  path: /Resources/TaskRole",
            "EventsKMSKey → TaskRole",
        ),
    ];
    found_in(file, &cases);

    let edit = (FULFILMENT, "    dead_letter:\n      tries: 10", "");
    found(&[edit], file, "Value: !GetAtt", "has no DeadLetterQueue here (environment test)");
    let edit = (FULFILMENT, "    count:\n      range: 0-2", "    count: 1");
    found(&[edit], file, "path: /Resources/Dynamic", "no /Resources/DynamicDesiredCountFunction");
    let edits = [
        ("environments/prod/manifest.yml", "", "name: prod\ntype: Environment\n"),
        (FULFILMENT, "environments:\n", "environments:\n  prod:\n    count: 2\n"),
    ];
    found(&edits, file, "path: /Resources/Dynamic", "(environment prod)");
}

#[test]
fn addons_that_do_not_fit_together_are_found() {
    let file = "promotion/addons/couponsTable.yml";
    let other = "promotion/addons/other.yml";
    let arguments = "promotion/addons/addons.parameters.yml";
    let extra = (file, "  Name:\n", "  Extra:\n    Type: String\n  Name:\n");

    let parameter = "Parameters:\n  App:\n    Type: String\nResources: {}\n";
    found(&[(other, "", parameter)], other, "    Type", "Parameters.App: Copilot merges");
    let second = "promotion/addons/addons.parameters.yaml";
    let edits = [(second, "", "Parameters: {}\n")];
    found(&edits, arguments, "Parameters", "Copilot accepts only one such file");
    found(&[extra], file, "    Type: String\n  Name", "Parameters.Extra: it has no Default");
    let cases = [
        ("Name: !Ref WorkloadName", "Parameters.Name: Copilot passes it itself"),
        ("Extr: !Ref WorkloadName", "Parameters.Extr: no addon has such a parameter"),
        ("Extra: !GetAtt Queue.Arn", "Parameters.Extra: Copilot's template has no Queue here"),
        (
            "Extra: !GetAtt EventsQueue.Arn",
            "Parameters.Extra: with it, the resources refer to one another in a circle: \
             AddonsStack → EventsQueue →",
        ),
        ("Extra: !Ref Service", "AddonsStack → Service → TaskDefinition → AddonsStack"),
    ];
    for (argument, what) in cases {
        let edit = (arguments, "Parameters:\n", &*format!("Parameters:\n  {argument}\n"));
        found(&[extra, edit], arguments, argument, what);
    }

    // Even without a policy: the task waits for the output of the addon.
    let addon = "fulfilment/addons/statusSubscription.yml";
    let (resources, output) =
        ("\nResources:\n", "\nOutputs: {it: {Value: !Ref Extra}}\nResources:\n");
    let edits = [
        (addon, "  Name:\n", "  Extra:\n    Type: String\n  Name:\n"),
        (addon, resources, output),
        (
            "fulfilment/addons/addons.parameters.yml",
            "Parameters:\n",
            "Parameters:\n  Extra: !GetAtt Service.Name\n",
        ),
    ];
    let what = "AddonsStack → Service → TaskDefinition → AddonsStack";
    found(&edits, "fulfilment/addons/addons.parameters.yml", "  Extra", what);
}

#[test]
fn outputs_with_the_name_of_another_variable_are_found() {
    let file = "promotion/addons/couponsTable.yml";
    let second = "\nOutputs:\n  CouponsTableName:\n    Value: !Ref couponsTable";
    let marker = "!Ref couponsTable\n  couponsTableAccessPolicy";
    let cases = [
        ("\nOutputs:", second, marker, "is also among the output CouponsTableName"),
        ("  couponsTableName:", "  copilotLbDns:", marker, "is also among Copilot's own variables"),
    ];
    found_in(file, &cases);
    let edit = (PROMOTION, "  RUST_LOG: info", "  COUPONS_TABLE_NAME: mine");
    found(&[edit], file, marker, "COUPONS_TABLE_NAME is also among the manifest's variables");
}
