//! Turns the resources of stacks into requests to AWS, each as soon as those that it refers to
//! exist.

pub mod known;
pub mod made;
pub mod request;
pub mod shown;

use self::{
    known::{Known, Unknown},
    made::Made,
    request::Request,
};
use super::{
    stack::{Declared, ResourceId, Stack},
    template::Resource,
};
use crate::mistake::Mistake;

/// A resource to create.
#[derive(Clone, Debug)]
pub struct Pending<'a> {
    /// Which one.
    pub id: ResourceId,
    /// Its declaration.
    pub resource: &'a Declared<Resource>,
}

/// A resource that can be created now.
#[derive(Clone, Debug)]
pub struct Ready<'a> {
    /// Which one.
    pub id: ResourceId,
    /// The request that creates it.
    pub request: Request<'a>,
}

/// All resources of `stacks`.
pub fn pending(stacks: &[Stack]) -> Vec<Pending<'_>> {
    let resources = stacks.iter().flat_map(|stack| {
        stack.resources.iter().map(move |(id, resource)| (stack.resource_id(id), resource))
    });
    resources.map(|(id, resource)| Pending { id, resource }).collect()
}

/// Splits `pending` into the resources that can be created now and those that have to wait.
///
/// # Errors
///
/// [`Mistake`] if a text can never be computed, or if all have to wait: then their references form
/// a circle.
pub fn ready<'a>(
    known: &Known<'_>,
    pending: Vec<Pending<'a>>,
) -> Result<(Vec<Ready<'a>>, Vec<Pending<'a>>), Mistake> {
    let mut ready = Vec::new();
    let mut waiting = Vec::new();
    for it in pending {
        match Request::of(&it.id, it.resource, known)? {
            Some(request) => ready.push(Ready { id: it.id, request }),
            None => waiting.push(it),
        }
    }
    match waiting.first() {
        Some(Pending { id, resource }) if ready.is_empty() => Err(Mistake::at(
            &resource.file,
            resource.location,
            format!("{}: its references form a circle", id.id),
        )),
        _ => Ok((ready, waiting)),
    }
}

/// Resolves all resources and outputs against an imaginary account, to find mistakes early.
///
/// # Errors
///
/// [`Mistake`] if one of them can never be resolved.
pub fn check(stacks: &[Stack]) -> Result<(), Mistake> {
    let known = imagined(stacks)?;
    stacks.iter().try_for_each(|stack| check_outputs(&known, stack))
}

/// All resources in an imaginary account.
///
/// # Errors
///
/// [`Mistake`] if one of them can never be resolved.
pub fn imagined(stacks: &[Stack]) -> Result<Known<'_>, Mistake> {
    let mut known = Known::nothing(stacks);
    let mut pending = pending(stacks);
    while !pending.is_empty() {
        let (ready, waiting) = ready(&known, pending)?;
        for Ready { id, request } in ready {
            let made = made(&id, &request);
            known.insert(id, made);
        }
        pending = waiting;
    }
    Ok(known)
}

fn check_outputs(known: &Known<'_>, stack: &Stack) -> Result<(), Mistake> {
    for (name, output) in &stack.outputs {
        let value = &output.value.value;
        if let Err(Unknown::Ever(why)) = known.evaluate(&stack.name, &value.expression) {
            let what = format!("Outputs.{name}.Value: {why}");
            return Err(Mistake::at(&output.file, value.location, what));
        }
    }
    Ok(())
}

fn made(id: &ResourceId, request: &Request<'_>) -> Made {
    let arn = |service, name: &str| format!("arn:aws:{service}:region:account:{name}");
    match request {
        Request::Table(name, _) => Made::table(name, arn("dynamodb", name)),
        Request::Bucket(name) => Made::bucket(name),
        Request::Queue(name, _) => Made::queue(name, name.clone(), arn("sqs", name)),
        Request::Topic(name, _) => Made::topic(name, arn("sns", name)),
        Request::Role(name, arn) => Made::role(name, arn.clone()),
        Request::Policy(_) => Made::policy(arn("iam", &format!("{}-{}", id.stack, id.id))),
        Request::BucketPolicy(..)
        | Request::QueuePolicy(..)
        | Request::Subscription { .. }
        | Request::Nothing => Made::nothing(),
    }
}
