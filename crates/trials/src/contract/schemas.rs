//! The schemas of the events: those of today, and those of the last release.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use orders::contract::EVENTS;
use serde_json::Value;

/// Where the documents are, from the root of the repository.
pub const DIRECTORY: &str = "docs/events";
/// Where the schemas of the last release are, in that directory.
pub const RELEASED: &str = "released";
/// How the name of a schema's file ends.
pub const SCHEMA: &str = ".schema.json";

/// Documents by the names of their files.
pub type Documents = BTreeMap<String, Value>;

/// The schemas of what is sent today.
pub fn schemas() -> Documents {
    let schemas = EVENTS.iter().flat_map(|event| {
        [
            (format!("{}{SCHEMA}", event.name), event.message_schema()),
            (format!("{}.attributes{SCHEMA}", event.name), event.attributes_schema()),
        ]
    });
    schemas.collect()
}

/// The schemas of what the last release sends.
///
/// # Errors
///
/// If a file cannot be read.
pub fn released() -> anyhow::Result<Documents> {
    let mut released = Documents::new();
    for file in fs::read_dir(directory().join(RELEASED)).context("reading the last release")? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a file's name")?;
        let schema = serde_json::from_str(&fs::read_to_string(&path)?);
        let schema = schema.with_context(|| format!("reading {}", path.display()))?;
        released.insert(name.to_owned(), schema);
    }
    Ok(released)
}

/// The directory of the documents.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(DIRECTORY)
}
