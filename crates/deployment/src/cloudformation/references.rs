//! References from a template's values to its parameters and resources, and circles of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Location;

use super::expression::{Data, Expression, Value};

/// The names of the parameters and resources that `value` refers to, with the places.
pub fn of(value: &Value) -> Vec<(&str, Location)> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

/// Resources that refer to one another in a circle; the last is the first again.
///
/// CloudFormation rejects such a template at deployment.
pub fn circle(resources: &BTreeMap<String, Value>) -> Option<Vec<&str>> {
    let mut search = Search { resources, path: Vec::new(), done: BTreeSet::new() };
    resources.keys().find_map(|id| search.visit(id))
}

/// A depth-first search.
struct Search<'a> {
    resources: &'a BTreeMap<String, Value>,
    path: Vec<&'a str>,
    done: BTreeSet<&'a str>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, id: &'a str) -> Option<Vec<&'a str>> {
        if let Some(start) = self.path.iter().position(|it| *it == id) {
            return Some(self.path[start..].iter().copied().chain([id]).collect());
        }
        let resource = self.resources.get(id).filter(|_| !self.done.contains(id))?;
        self.path.push(id);
        let mut next = of(resource).into_iter().map(|(id, _)| id).chain(depends_on(resource));
        let circle = next.find_map(|id| self.visit(id));
        self.path.pop();
        self.done.insert(id);
        circle
    }
}

/// `DependsOn`: one logical id or a list of them.
fn depends_on(resource: &Value) -> Vec<&str> {
    let Data::Map(entries) = &resource.data else {
        return Vec::new();
    };
    match entries.get("DependsOn").map(|value| &value.data) {
        Some(Data::List(values)) => values.iter().filter_map(Value::as_literal).collect(),
        Some(_) => entries.get("DependsOn").and_then(Value::as_literal).into_iter().collect(),
        None => Vec::new(),
    }
}

fn collect<'a>(value: &'a Value, found: &mut Vec<(&'a str, Location)>) {
    match &value.data {
        Data::Plain(_) => {}
        Data::Text(text) => names(&text.expression, text.location, found),
        Data::List(values) => values.iter().for_each(|value| collect(value, found)),
        Data::Map(entries) => entries.values().for_each(|value| collect(value, found)),
        Data::Call(call) => collect(&call.argument, found),
    }
}

fn names<'a>(expression: &'a Expression, place: Location, found: &mut Vec<(&'a str, Location)>) {
    match expression {
        Expression::Literal(_) => {}
        Expression::Ref(name) | Expression::Attribute(name, _) => found.push((name, place)),
        Expression::Join(pieces) => pieces.iter().for_each(|piece| names(piece, place, found)),
        Expression::Import(name) => names(name, place, found),
        Expression::Call(call) => collect(&call.argument, found),
    }
}
