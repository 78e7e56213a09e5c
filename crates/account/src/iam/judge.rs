//! Judges calls by the policies of roles, queues and buckets.
//!
//! Within an account, a call is allowed if a policy of the role or one of the resource allows it,
//! and none of them denies it:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use hyper::{HeaderMap, header::AUTHORIZATION};
use iam_rs::{
    Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal,
    PrincipalId,
};
use serde_json::Value as Json;

use super::{
    asked::{self, Asked},
    refusal::{Refusal, Why},
};
use crate::proxy::Call;

/// SNS, as it calls itself when it delivers to a queue.
pub(super) const SNS: &str = "sns.amazonaws.com";
/// The most questions that are remembered: objects have many names.
const MAX_QUESTIONS: usize = 10_000;
const SEND: &str = "sqs:SendMessage";

/// A role, and what its policies say.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name, which is also the access key of the service that has it.
    pub name: String,
    /// Its policies by name, as JSON.
    pub policies: BTreeMap<String, Json>,
}

/// Judges the calls to an endpoint. Its clones are the same judge. Until it has roles, it allows
/// everything.
#[derive(Clone, Debug, Default)]
pub struct Judge(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The region and the account of all resources, with a colon in between.
    place: String,
    account: String,
    roles: HashMap<String, (Role, PolicyEvaluator)>,
    /// The policies of queues and buckets, by ARN.
    resources: BTreeMap<String, (Json, PolicyEvaluator)>,
    /// Everything that was judged by the present policies.
    verdicts: HashMap<Question, Result<(), Why>>,
    /// Everything that was ever allowed, and everything that was not.
    allowed: BTreeSet<Question>,
    refused: BTreeSet<Question>,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A caller whose access key is not a role's, such as a developer's tool or a test.
    Administrator,
    /// A service with a role.
    Service,
}

/// What is judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The role, or the service, that calls.
    pub caller: String,
    /// What it asks for.
    pub asked: Asked,
    /// The ARN of the topic for which SNS calls.
    pub source: Option<String>,
}

impl Judge {
    /// A judge of the calls to resources of an account in a region.
    pub fn new(region: &str, account: &str) -> Self {
        let place = format!("{region}:{account}");
        let state = State { place, account: account.to_owned(), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Makes `roles` the roles of the account, in place of those before.
    ///
    /// # Errors
    ///
    /// If one of the policies is not understood.
    pub fn set_roles(&self, roles: Vec<Role>) -> anyhow::Result<()> {
        let read = |role: Role| {
            let policies = role.policies.iter().map(|(name, policy)| {
                let what = || format!("the policy {name} of {} is not understood", role.name);
                read_policy(policy.clone()).with_context(what)
            });
            let evaluator = PolicyEvaluator::with_policies(policies.collect::<Result<_, _>>()?);
            anyhow::Ok((role.name.clone(), (role, evaluator)))
        };
        let roles = roles.into_iter().map(read).collect::<Result<_, _>>()?;
        let mut state = self.state();
        state.roles = roles;
        state.verdicts.clear();
        Ok(())
    }

    /// Whether this access key is that of a role.
    pub fn knows(&self, access_key: &str) -> bool {
        self.state().roles.contains_key(access_key)
    }

    /// Makes `policy` the policy of the queue or bucket with this ARN.
    ///
    /// # Errors
    ///
    /// If it is not understood.
    pub fn set_policy_of(&self, resource: &str, policy: &str) -> anyhow::Result<()> {
        let mut state = self.state();
        state.verdicts.clear();
        if policy.is_empty() {
            state.resources.remove(resource);
            return Ok(());
        }
        let json: Json = serde_json::from_str(policy).context("the policy is not JSON")?;
        let evaluator = PolicyEvaluator::with_policies(vec![read_policy(json.clone())?]);
        state.resources.insert(resource.to_owned(), (json, evaluator));
        Ok(())
    }

    /// Who sends a request, if they may make the call.
    ///
    /// # Errors
    ///
    /// The answer if it may not.
    pub fn judge(&self, headers: &HeaderMap, call: &Call, body: &[u8]) -> Result<Caller, Refusal> {
        let mut state = self.state();
        let key = access_key(headers).filter(|key| state.roles.contains_key(*key));
        let Some(caller) = key else { return Ok(Caller::Administrator) };
        for asked in asked::asked(call, body, &state.place) {
            let question = Question { caller: caller.to_owned(), asked, source: None };
            if let Err(why) = state.verdict(&question) {
                return Err(state.refusal(call, question, why));
            }
        }
        Ok(Caller::Service)
    }

    /// Whether who makes `call` may also do something else, on which the answer depends. What they
    /// may not is no refusal of theirs: they did not ask for it.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may(&self, headers: &HeaderMap, call: &Call, asked: Asked) -> Result<(), Refusal> {
        let mut state = self.state();
        let key = access_key(headers).filter(|key| state.roles.contains_key(*key));
        let Some(caller) = key.map(str::to_owned) else { return Ok(()) };
        let question = Question { caller, asked, source: None };
        match state.judged(&question) {
            Ok(()) => {
                state.allowed.insert(question);
                Ok(())
            }
            Err(why) => Err(state.refusal(call, question, why)),
        }
    }

    /// Whether SNS may deliver the messages of a topic to a queue, both given by ARN.
    pub fn may_deliver(&self, topic: Option<&str>, queue: &str) -> bool {
        let mut state = self.state();
        let asked = Asked { action: SEND.to_owned(), resource: queue.to_owned() };
        let (caller, source) = (SNS.to_owned(), topic.map(str::to_owned));
        state.roles.is_empty() || state.verdict(&Question { caller, asked, source }).is_ok()
    }

    /// The roles, and the policies of queues and buckets by ARN.
    pub(super) fn policies(&self) -> (Vec<Role>, BTreeMap<String, Json>) {
        let state = self.state();
        let resources = state.resources.iter().map(|(arn, (json, _))| (arn.clone(), json.clone()));
        (state.roles.values().map(|(role, _)| role.clone()).collect(), resources.collect())
    }

    /// Everything that was allowed so far.
    pub fn allowed(&self) -> BTreeSet<Question> {
        self.state().allowed.clone()
    }

    /// Everything that was refused so far.
    pub fn refused(&self) -> BTreeSet<Question> {
        self.state().refused.clone()
    }

    pub(super) fn account(&self) -> String {
        self.state().account.clone()
    }

    /// Nothing in here panics while it holds the lock, so the data behind a poisoned one is right.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Policies rarely change and calls repeat, so each is judged once.
    fn verdict(&mut self, question: &Question) -> Result<(), Why> {
        if let Some(verdict) = self.verdicts.get(question) {
            return *verdict;
        }
        let verdict = self.judged(question);
        let record = if verdict.is_ok() { &mut self.allowed } else { &mut self.refused };
        if record.len() < MAX_QUESTIONS {
            record.insert(question.clone());
        }
        if self.verdicts.len() >= MAX_QUESTIONS {
            self.verdicts.clear();
        }
        self.verdicts.insert(question.clone(), verdict);
        verdict
    }

    fn refusal(&self, call: &Call, question: Question, why: Why) -> Refusal {
        let role = question.caller;
        let caller = format!("arn:aws:sts::{}:assumed-role/{role}/local", self.account);
        Refusal { service: call.service, caller, asked: question.asked, why }
    }

    fn judged(&self, question: &Question) -> Result<(), Why> {
        let Some(request) = request(question, &self.account) else {
            return Err(Why::NotAllowed);
        };
        let decide = |evaluator: &PolicyEvaluator| {
            // What cannot be evaluated allows nothing.
            evaluator.evaluate(&request).map_or(Decision::NotApplicable, |it| it.decision)
        };
        let of_role = self.roles.get(&question.caller).map(|(_, evaluator)| decide(evaluator));
        let policy = self.resources.get(policy_owner(&question.asked.resource));
        let of_resource = policy.map(|(_, evaluator)| decide(evaluator));
        match (of_role, of_resource) {
            (Some(Decision::Deny), _) => Err(Why::DeniedToRole),
            (_, Some(Decision::Deny)) => Err(Why::DeniedByResource),
            (Some(Decision::Allow), _) | (_, Some(Decision::Allow)) => Ok(()),
            _ => Err(Why::NotAllowed),
        }
    }
}

/// The ARN of what has the policy for a resource: an object has that of its bucket.
fn policy_owner(resource: &str) -> &str {
    match resource.split_once('/') {
        Some((bucket, _)) if resource.starts_with("arn:aws:s3:") => bucket,
        _ => resource,
    }
}

/// A policy as the judge reads it.
pub(super) fn read_policy(policy: Json) -> anyhow::Result<IAMPolicy> {
    Ok(serde_json::from_value(policy)?)
}

/// The ARN of a role.
pub(super) fn role_arn(role: &str, account: &str) -> String {
    format!("arn:aws:iam::{account}:role/{role}")
}

/// A question in the terms of the library, with a value for each key that conditions may have.
pub(super) fn request(question: &Question, account: &str) -> Option<IAMRequest> {
    let resource = Arn::parse(&question.asked.resource).ok()?;
    // On AWS, all calls come over TLS.
    let mut context = Context::new().with_boolean("aws:SecureTransport", true);
    let principal = if question.caller == SNS {
        let source = question.source.clone().map(ContextValue::String);
        context.data.extend(source.map(|source| ("aws:SourceArn".to_owned(), source)));
        context = context.with_string("aws:SourceAccount", account);
        Principal::Service(PrincipalId::String(SNS.to_owned()))
    } else {
        let role = role_arn(&question.caller, account);
        context = context.with_string("aws:PrincipalArn", role.clone());
        Principal::Aws(PrincipalId::String(role))
    };
    let action = question.asked.action.clone();
    Some(IAMRequest::new_with_context(principal, action, resource, context))
}

/// The access key in `AWS4-HMAC-SHA256 Credential=KEY/date/region/service/aws4_request, …`.
pub(crate) fn access_key(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
    signature.split_once("Credential=")?.1.split('/').next()
}
