//! `environments`: the overrides that make sense.

use super::{Manifest, messages::Subscription};
use crate::{copilot::environment::Environments, mistake::Wrong};

impl Manifest {
    /// Checks the overrides, given all environments.
    ///
    /// # Errors
    ///
    /// The first mistake in them.
    pub fn check_overrides(&self, environments: &Environments) -> Result<(), Wrong> {
        for (environment, over) in self.environments.iter() {
            let (name, place) = (&environment.value, environment.referenced);
            let wrong = |place, what: String| Err((place, format!("environments.{name}: {what}")));
            if !environments.contains_key(name) {
                return wrong(place, "there is no such environment".to_owned());
            }
            let header = [
                over.name.as_ref().map(|it| it.referenced),
                over.r#type.as_ref().map(|it| it.referenced),
                over.environments.iter().next().map(|(name, _)| name.referenced),
            ];
            if let Some(place) = header.into_iter().flatten().next() {
                let what = "name, type and environments cannot be overridden";
                return wrong(place, what.to_owned());
            }
            if let Some(what) = self.left_out(over) {
                let list = over.subscribe.as_ref().map(|it| it.referenced);
                return wrong(list.unwrap_or(place), what);
            }
        }
        Ok(())
    }

    /// A sentence about an item that an override removes, because it replaces the whole list.
    fn left_out(&self, over: &Self) -> Option<String> {
        if let (Some(base), Some(over)) = (&self.publish, &over.publish) {
            let repeated = |name| over.topics.iter().any(|it| it.name.value == name);
            let mut topics = base.topics.iter().map(|topic| topic.name.value.clone());
            if let Some(topic) = topics.find(|topic| !repeated(topic.clone())) {
                return Some(format!(
                    "publish.topics replaces the whole list, and leaves {} out",
                    topic.0
                ));
            }
        }
        let topics = |manifest: &Self| -> Option<Vec<Subscription>> {
            manifest.subscribe.as_ref()?.value.topics.clone()
        };
        let (base, over) = (topics(self)?, topics(over)?);
        base.iter().find_map(|base| {
            let name = &base.name.value;
            let same = |over: &&Subscription| {
                over.name.value == *name && over.service.value == base.service.value
            };
            let what = match over.iter().find(same) {
                None => format!("leaves {} out", name.0),
                Some(over) if base.filter_policy.is_some() && over.filter_policy.is_none() => {
                    format!("leaves the filter_policy of {} out", name.0)
                }
                Some(_) => return None,
            };
            Some(format!("subscribe.topics replaces the whole list, and {what}"))
        })
    }
}
