//! References within a template and between templates: each has to lead somewhere, and a stack can
//! import only what stacks before it export.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Location;

use super::template::Read;
use crate::{
    cloudformation::{
        expression::{Data, Expression, Value},
        references,
        resolve::known::Known,
    },
    mistake::{Mistake, Wrong},
};

/// Checks the references of a template, and adds what it exports to `exports`.
///
/// # Errors
///
/// The first that leads nowhere.
pub fn check(read: &Read, exports: &mut BTreeSet<String>) -> Result<(), Mistake> {
    let in_file = |wrong: Wrong| Mistake::from_wrong(&read.file, wrong);
    let section = |name| read.whole.at(&[name]).and_then(Value::entries);
    let resources = section("Resources").into_iter().flatten();
    let used = resources.clone().chain(section("Outputs").into_iter().flatten());
    for (id, value) in used {
        check_names(read, value).map_err(|(at, what)| in_file((at, format!("{id}: {what}"))))?;
    }
    let resources: BTreeMap<String, Value> =
        resources.map(|(id, value)| (id.clone(), value.clone())).collect();
    if let Some(circle) = references::circle(&resources) {
        let what =
            format!("the resources refer to one another in a circle: {}", circle.join(" → "));
        return Err(Mistake::of(&read.file, what));
    }
    let stacks = [read.stack.clone()];
    let known = Known::nothing(&stacks);
    let name = |expression: &Expression| known.evaluate(&read.stack.name, expression);
    // CloudFormation does not resolve the imports of what does not apply.
    let applying = resources.iter().filter(|(id, _)| read.stack.resources.contains_key(*id));
    let values = applying
        .map(|(_, value)| value)
        .chain(section("Outputs").into_iter().flat_map(BTreeMap::values));
    for (expression, place) in values.flat_map(imports) {
        let what = match name(expression) {
            Ok(name) if exports.contains(&name) => continue,
            Ok(name) => format!("no stack before {} exports {name:?}", read.stack.name),
            Err(why) => format!("the name of an import: {why}"),
        };
        return Err(in_file((place, what)));
    }
    for output in read.stack.outputs.values() {
        let Some(export) = &output.value.export else { continue };
        let text = &export.name;
        let name =
            name(&text.expression).map_err(|why| in_file((text.location, why.to_string())))?;
        if !exports.insert(name.clone()) {
            return Err(in_file((text.location, format!("two stacks export {name:?}"))));
        }
    }
    Ok(())
}

/// Everything that `value` refers to has to be a parameter or resource of the template.
fn check_names(read: &Read, value: &Value) -> Result<(), Wrong> {
    for (name, place) in references::of(value) {
        let is_declared =
            ["Parameters", "Resources"].iter().any(|it| read.whole.at(&[it, name]).is_some());
        if !is_declared && !name.starts_with("AWS::") {
            return Err((place, format!("there is no parameter or resource {name}")));
        }
    }
    Ok(())
}

/// The names of what `value` imports, with their places.
fn imports(value: &Value) -> Vec<(&Expression, Location)> {
    match &value.data {
        Data::Plain(_) => Vec::new(),
        Data::Text(text) => imported(&text.expression, text.location),
        Data::List(values) => values.iter().flat_map(imports).collect(),
        Data::Map(entries) => entries.values().flat_map(imports).collect(),
        Data::Call(call) => imports(&call.argument),
    }
}

fn imported(expression: &Expression, place: Location) -> Vec<(&Expression, Location)> {
    match expression {
        Expression::Import(name) => vec![(name, place)],
        Expression::Join(pieces) => pieces.iter().flat_map(|it| imported(it, place)).collect(),
        Expression::Call(call) => imports(&call.argument),
        Expression::Literal(_) | Expression::Ref(_) | Expression::Attribute(..) => Vec::new(),
    }
}
