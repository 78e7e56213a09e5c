//! Turns what the files say into what AWS is asked for, as soon as the resources that it refers
//! to exist.

use std::collections::BTreeMap;

use super::{
    Mistake, Service, Workspace,
    expression::Expression,
    stack::{Declared, Stack, topic_id},
    template::Resource,
};

mod made;
mod request;

pub use made::Made;
pub use request::Request;

/// A stack's place: a service's own, or nested in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The service.
    pub service: String,
    /// Whether it is the stack of its addons.
    pub addons: bool,
}

/// Why a text is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A resource in it does not exist yet.
    Yet,
    /// It never will be.
    Ever(String),
}

/// A resource and where it belongs.
#[derive(Clone, Debug)]
pub struct Pending<'a> {
    /// Its stack.
    pub place: Place,
    /// Its logical id.
    pub id: &'a str,
    /// What it is.
    pub resource: &'a Declared<Resource>,
}

/// A resource that can be made now, and how.
pub type Ready<'a> = (Pending<'a>, Request<'a>);

/// All that exists so far.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    workspace: &'a Workspace,
    made: BTreeMap<(Place, String), Made>,
}

impl<'a> Known<'a> {
    /// Nothing exists.
    pub fn nothing(workspace: &'a Workspace) -> Self {
        Self { workspace, made: BTreeMap::new() }
    }

    /// Everything that the files want.
    pub fn pending(&self) -> Vec<Pending<'a>> {
        let mut pending = Vec::new();
        for service in &self.workspace.services {
            for (addons, stack) in [(false, &service.own), (true, &service.addons)] {
                let place = Place { service: service.name.clone(), addons };
                pending.extend(stack.resources.iter().map(|(id, resource)| Pending {
                    place: place.clone(),
                    id,
                    resource,
                }));
            }
        }
        pending
    }

    /// Notes that a resource exists.
    pub fn insert(&mut self, pending: &Pending<'_>, made: Made) {
        let key = (pending.place.clone(), pending.id.to_owned());
        self.made.insert(key, made);
    }

    /// What is known of the resource `id`.
    pub fn get(&self, place: &Place, id: &str) -> Option<&Made> {
        self.made.get(&(place.clone(), id.to_owned()))
    }

    /// Splits what is pending into what can be requested now and what has to wait.
    ///
    /// # Errors
    ///
    /// [`Mistake`] if a text can never be known, or if nothing can be requested although something
    /// is pending: then resources refer to one another in a circle.
    pub fn ready(
        &self,
        pending: Vec<Pending<'a>>,
    ) -> Result<(Vec<Ready<'a>>, Vec<Pending<'a>>), Mistake> {
        let mut ready = Vec::new();
        let mut waiting = Vec::new();
        for it in pending {
            match self.request(&it)? {
                Some(request) => ready.push((it, request)),
                None => waiting.push(it),
            }
        }
        match waiting.first() {
            Some(first) if ready.is_empty() => Err(Mistake::at(
                &first.resource.file,
                first.resource.location,
                format!("{}: it refers to itself in a circle", first.id),
            )),
            _ => Ok((ready, waiting)),
        }
    }

    /// The outputs of a service's addons that become variables, by the output's name.
    ///
    /// # Errors
    ///
    /// [`Mistake`] if one can never be known.
    pub fn outputs(&self, service: &Service) -> Result<BTreeMap<String, String>, Mistake> {
        let place = Place { service: service.name.clone(), addons: true };
        let mut outputs = BTreeMap::new();
        for (name, output) in service.addons.variables() {
            let value = &output.value.value;
            match self.evaluate(&place, &value.expression) {
                Ok(text) => {
                    outputs.insert(name.to_owned(), text);
                }
                Err(Unknown::Yet) => {}
                Err(Unknown::Ever(why)) => {
                    let what = format!("Outputs.{name}.Value: {why}");
                    return Err(Mistake::at(&output.file, value.location, what));
                }
            }
        }
        Ok(outputs)
    }

    /// The text that `expression` makes in the stack at `place`.
    ///
    /// # Errors
    ///
    /// [`Unknown`] if it is not known.
    pub fn evaluate(&self, place: &Place, expression: &Expression) -> Result<String, Unknown> {
        match expression {
            Expression::Literal(text) => Ok(text.clone()),
            Expression::Ref(name) => self.reference(place, name),
            Expression::Attribute(id, attribute) => self.attribute(place, id, attribute),
            Expression::Join(pieces) => {
                (pieces.iter()).map(|piece| self.evaluate(place, piece)).collect()
            }
            Expression::Import(name) => self.import(&self.evaluate(place, name)?),
            Expression::Topic { service, topic } => {
                let place = Place { service: service.clone(), addons: false };
                self.reference(&place, &topic_id(topic))
            }
        }
    }

    fn reference(&self, place: &Place, name: &str) -> Result<String, Unknown> {
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return self.pseudo_parameter(pseudo);
        }
        let stack = self.stack(place)?;
        if let Some(text) = stack.parameters.get(name) {
            // An argument is a text of the stack around; a default or a name is a literal.
            let outer = Place { service: place.service.clone(), addons: false };
            return self.evaluate(&outer, &text.expression);
        }
        self.made(stack, place, name).map(|made| made.reference.clone())
    }

    fn attribute(&self, place: &Place, id: &str, attribute: &str) -> Result<String, Unknown> {
        let made = self.made(self.stack(place)?, place, id)?;
        made.attributes.get(attribute).cloned().ok_or_else(|| {
            Unknown::Ever(format!("the resource {id} has no attribute {attribute} here"))
        })
    }

    fn made(&self, stack: &Stack, place: &Place, id: &str) -> Result<&Made, Unknown> {
        if !stack.resources.contains_key(id) {
            let what = format!("there is no resource or parameter {id}");
            return Err(Unknown::Ever(what));
        }
        self.get(place, id).ok_or(Unknown::Yet)
    }

    fn stack(&self, place: &Place) -> Result<&'a Stack, Unknown> {
        let mut services = self.workspace.services.iter();
        services
            .find(|service| service.name == place.service)
            .map(|service| if place.addons { &service.addons } else { &service.own })
            .ok_or_else(|| Unknown::Ever(format!("there is no service {}", place.service)))
    }

    /// Region and account are those of whatever exists first.
    fn pseudo_parameter(&self, name: &str) -> Result<String, Unknown> {
        let mut arns = self.made.values().filter_map(|made| made.attributes.get("Arn"));
        let arn = arns.next().ok_or(Unknown::Yet)?;
        let part = match name {
            "Partition" => 1,
            "Region" => 3,
            "AccountId" => 4,
            _ => return Err(Unknown::Ever(format!("AWS::{name} is not supported here"))),
        };
        arn.split(':').nth(part).map(str::to_owned).ok_or(Unknown::Yet)
    }

    fn import(&self, wanted: &str) -> Result<String, Unknown> {
        let mut unknown = false;
        for service in &self.workspace.services {
            let place = Place { service: service.name.clone(), addons: true };
            for output in service.addons.outputs.values() {
                let Some(export) = &output.value.export else {
                    continue;
                };
                match self.evaluate(&place, &export.name.expression) {
                    Ok(name) if name == wanted => {
                        return self.evaluate(&place, &output.value.value.expression);
                    }
                    Ok(_) => {}
                    Err(_) => unknown = true,
                }
            }
        }
        Err(if unknown {
            Unknown::Yet
        } else {
            Unknown::Ever(format!("no addon exports {wanted:?}"))
        })
    }
}

/// Resolves everything against an account that is only imagined, to find what never could be.
pub fn check(workspace: &Workspace) -> Result<(), Mistake> {
    let mut known = Known::nothing(workspace);
    let mut pending = known.pending();
    while !pending.is_empty() {
        let (ready, waiting) = known.ready(pending)?;
        for (it, request) in ready {
            let made = imagined(&request);
            known.insert(&it, made);
        }
        pending = waiting;
    }
    for service in &workspace.services {
        known.outputs(service)?;
    }
    Ok(())
}

fn imagined(request: &Request<'_>) -> Made {
    let arn = |service, name: &str| format!("arn:aws:{service}:region:account:{name}");
    match request {
        Request::Table(name, _) => Made::table(name, arn("dynamodb", name)),
        Request::Queue(name, _) => Made::queue(name, name.clone(), arn("sqs", name)),
        Request::Topic(name) => Made::topic(name, arn("sns", name)),
        Request::QueuePolicy(..) | Request::Subscription { .. } | Request::Nothing => {
            Made::nothing()
        }
    }
}
