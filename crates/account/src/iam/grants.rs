//! What the policies allow, one action on one resource at a time, and what of it was used.

use std::{collections::BTreeSet, fmt};

use iam_rs::{Decision, PolicyEvaluator};
use serde_json::{Value as Json, json};

use super::judge::{Judge, Question, SNS, read_policy, request, role_arn};

/// An action on a resource that a policy allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The role, or the service, that may call.
    pub caller: String,
    /// The policy: its name, or the ARN of the queue that has it.
    pub policy: String,
    /// The action, which may have wildcards.
    pub action: String,
    /// The ARN of the resource, which may have wildcards.
    pub resource: String,
    statement: Json,
    account: String,
}

impl Judge {
    /// Everything that the policies allow to the roles, and SNS to do with the queues.
    pub fn grants(&self) -> Vec<Grant> {
        let account = self.account();
        let (roles, queues) = self.policies();
        let mut grants = Vec::new();
        for role in &roles {
            for (name, policy) in &role.policies {
                grants.extend(of_policy(&role.name, name, policy, &account));
            }
        }
        for (queue, policy) in &queues {
            let callers = roles.iter().map(|role| &*role.name).chain([SNS]);
            for caller in callers {
                let all = of_policy(caller, queue, policy, &account);
                grants.extend(all.into_iter().filter(Grant::is_for_its_caller));
            }
        }
        grants.sort_by_key(Grant::to_string);
        grants
    }
}

impl Grant {
    /// Whether it allows what was asked.
    pub fn allows(&self, question: &Question) -> bool {
        if question.caller != self.caller {
            return false;
        }
        let policy = read_policy(json!({"Version": "2012-10-17", "Statement": [self.statement]}));
        let (Ok(policy), Some(request)) = (policy, request(question, &self.account)) else {
            return false;
        };
        let evaluated = PolicyEvaluator::with_policies(vec![policy]).evaluate(&request);
        evaluated.is_ok_and(|it| it.decision == Decision::Allow)
    }

    /// Whether one of the questions, which were all allowed, was allowed by this.
    pub fn is_used(&self, allowed: &BTreeSet<Question>) -> bool {
        allowed.iter().any(|question| self.allows(question))
    }

    /// Whether the principals of its statement include its caller.
    fn is_for_its_caller(&self) -> bool {
        let ids = |kind| items(&self.statement["Principal"][kind]);
        let role = role_arn(&self.caller, &self.account);
        let is = |id: &Json, who: &str| id.as_str() == Some(who);
        self.statement["Principal"] == "*"
            || ids("Service").iter().any(|id| is(id, &self.caller))
            || ids("AWS").iter().any(|id| is(id, &role) || is(id, "*"))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} on {}", self.caller, self.action, self.resource)
    }
}

/// What the statements that allow something say, without those of which a part is negated.
fn of_policy(caller: &str, name: &str, policy: &Json, account: &str) -> Vec<Grant> {
    let mut grants = Vec::new();
    for statement in items(&policy["Statement"]).iter().filter(|it| it["Effect"] == "Allow") {
        for action in items(&statement["Action"]) {
            for resource in items(&statement["Resource"]) {
                let mut one = statement.clone();
                (one["Action"], one["Resource"]) = (action.clone(), resource.clone());
                let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
                grants.push(Grant {
                    caller: caller.to_owned(),
                    policy: name.to_owned(),
                    action: text(action),
                    resource: text(resource),
                    statement: one,
                    account: account.to_owned(),
                });
            }
        }
    }
    grants
}

/// The items of a list, or a single value.
fn items(json: &Json) -> &[Json] {
    match json {
        Json::Array(items) => items,
        Json::Null => &[],
        one => std::slice::from_ref(one),
    }
}
