//! The parts of Copilot's templates, and those that apply to a service.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::LazyLock,
};

use crate::{
    cloudformation::expression::{Data, Value},
    yaml,
};

/// The parts of all templates, each with its condition.
static PARTS: LazyLock<Value> = LazyLock::new(|| {
    yaml::parse(Path::new("outline.yml"), include_str!("../outline.yml"))
        .expect("the outline is a YAML file of values")
});

/// The resources of a template that has `parts`.
pub fn resources(parts: &BTreeSet<&str>) -> BTreeMap<String, Value> {
    let Data::Map(mut resources) = pruned(PARTS.clone(), parts).data else {
        return BTreeMap::new();
    };
    resources.retain(|name, _| !name.ends_with('?'));
    resources
}

/// `value` without the parts that do not apply. A map keeps their names with a `?`.
fn pruned(value: Value, parts: &BTreeSet<&str>) -> Value {
    let data = match value.data {
        Data::Map(entries) => Data::Map(
            entries
                .into_iter()
                .filter(|(name, _)| name != "when")
                .map(|(name, value)| {
                    if applies(&value, parts) {
                        (name, pruned(value, parts))
                    } else {
                        (format!("{name}?"), Value::null())
                    }
                })
                .collect(),
        ),
        Data::List(values) => Data::List(
            values
                .into_iter()
                .filter(|value| applies(value, parts))
                .map(|value| pruned(value, parts))
                .collect(),
        ),
        data => data,
    };
    Value { data, ..value }
}

/// A list without any items left does not apply either.
fn applies(value: &Value, parts: &BTreeSet<&str>) -> bool {
    match &value.data {
        Data::Map(entries) => {
            let when = entries.get("when").and_then(Value::as_literal);
            when.is_none_or(|part| parts.contains(part))
        }
        Data::List(values) => values.is_empty() || values.iter().any(|value| applies(value, parts)),
        Data::Plain(_) | Data::Text(_) | Data::Call(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::resources;
    use crate::cloudformation::references;

    #[test]
    fn the_outline_refers_only_to_itself_and_has_no_circles() {
        let parts = [
            "addon_policies",
            "arm",
            "backlog_scaling",
            "cpu_scaling",
            "dead_letter",
            "health_check",
            "http",
            "https",
            "memory_scaling",
            "publish",
            "request_scaling",
            "response_scaling",
            "scaling",
            "tracing",
            "web",
            "worker",
        ];
        let resources = resources(&parts.into());
        for (id, resource) in &resources {
            for (name, place) in references::of(resource) {
                assert!(resources.contains_key(name), "{id}: {name} at {place:?}");
            }
        }
        assert_eq!(references::circle(&resources), None);
    }
}
