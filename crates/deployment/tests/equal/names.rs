//! Names that both descriptions have in common: a queue is "queue of fulfilment", whatever AWS
//! calls it.

use std::collections::BTreeMap;

use deployment::{
    Deployment,
    cloudformation::{resolve::known::Known, stack::ResourceId, template::Resource},
    description::Service,
};

/// The common name of each ARN, URL and physical name.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// The names of the resources in an imaginary account.
    pub fn of(deployment: &Deployment, known: &Known<'_>) -> Self {
        let mut names = Self::default();
        for service in &deployment.services {
            names.add_service(service, known);
            names.add_tables(service, deployment, known);
        }
        names.add_undelivered(deployment, known);
        names.add_alarms(deployment, known);
        names
    }

    fn add(&mut self, id: &ResourceId, name: &str, known: &Known<'_>) {
        let made = known.get(id).expect("it was made");
        for it in made.attributes.values().chain([&made.reference]) {
            self.0.insert(it.clone(), name.to_owned());
        }
    }

    fn add_service(&mut self, service: &Service, known: &Known<'_>) {
        let owner = &service.name;
        for (topic, id) in &service.topics {
            self.add(id, &format!("topic {topic} of {owner}"), known);
        }
        if let Some(queue) = &service.queue {
            self.add(&queue.queue.id, &format!("queue of {owner}"), known);
            if let Some(dead_letters) = &queue.dead_letters {
                self.add(&dead_letters.id, &format!("dead letters of {owner}"), known);
            }
        }
        let role = format!("arn:aws:iam::account:role/{}", service.role.name);
        self.0.insert(role, format!("role of {owner}"));
    }

    /// A table is known by the variable that a service finds it by.
    fn add_tables(&mut self, service: &Service, deployment: &Deployment, known: &Known<'_>) {
        for stack in &deployment.stacks {
            for (id, resource) in &stack.resources {
                let id = stack.resource_id(id);
                let Resource::Table(_) = resource.value else { continue };
                let name = &known.get(&id).expect("it was made").reference;
                let variable = service
                    .variables
                    .iter()
                    .find(|(_, it)| known.evaluate(&it.stack, &it.value).as_ref() == Ok(name));
                if let Some((variable, _)) = variable {
                    self.add(&id, &format!("table {variable} of {}", service.name), known);
                }
            }
        }
    }

    /// The queues for what other queues refuse, unless they have a name already.
    fn add_undelivered(&mut self, deployment: &Deployment, known: &Known<'_>) {
        for stack in &deployment.stacks {
            for resource in stack.resources.values() {
                let Resource::Subscription(it) = &resource.value else { continue };
                let Some(redrive) = &it.redrive_policy else { continue };
                let evaluate = |text| known.evaluate(&stack.name, text).expect("an ARN");
                let target = evaluate(&redrive.dead_letter_target_arn.expression);
                let queue = self.0[&evaluate(&it.endpoint.expression)].clone();
                if !self.0.contains_key(&target) {
                    let id = known.find(&target).expect("it was made").clone();
                    self.add(&id, &queue.replace("queue of", "undelivered of"), known);
                }
            }
        }
    }

    /// The topic that no service publishes to.
    fn add_alarms(&mut self, deployment: &Deployment, known: &Known<'_>) {
        for stack in &deployment.stacks {
            for (id, resource) in &stack.resources {
                let id = stack.resource_id(id);
                let arn = &known.get(&id).expect("it was made").reference;
                if matches!(resource.value, Resource::Topic(_)) && self.get(arn).is_none() {
                    self.add(&id, "the alarms", known);
                }
            }
        }
    }

    /// The common name of an ARN, a URL or a physical name.
    pub fn get(&self, physical: &str) -> Option<&str> {
        self.0.get(physical).map(String::as_str)
    }

    /// `text` with all names in it replaced.
    pub fn common(&self, text: &str) -> String {
        let mut physical: Vec<_> = self.0.iter().filter(|(it, _)| !it.is_empty()).collect();
        physical.sort_by_key(|(it, _)| std::cmp::Reverse(it.len()));
        physical.into_iter().fold(text.to_owned(), |text, (physical, name)| {
            text.replace(physical.as_str(), &format!("<{name}>"))
        })
    }

    /// The ARNs that fit `pattern`, by their common names.
    pub fn fitting(&self, pattern: &str) -> Vec<String> {
        let arns = self.0.iter().filter(|(it, _)| it.starts_with("arn:") && fits(it, pattern));
        arns.map(|(_, name)| name.clone()).collect()
    }
}

/// Whether `text` fits a pattern of IAM: `*` is any text.
fn fits(text: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return text == pattern };
    text.strip_prefix(before).is_some_and(|rest| {
        (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| fits(rest, after)))
    })
}
