//! The contents of directories, in alphabetical order.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::mistake::Mistake;

/// The names of the directories in `directory`.
///
/// # Errors
///
/// [`Mistake`] if it cannot be read.
pub fn directories(directory: &Path) -> Result<BTreeSet<String>, Mistake> {
    entries(directory).map(|entries| {
        (entries.into_iter()).filter(|(_, path)| path.is_dir()).map(|(name, _)| name).collect()
    })
}

/// The files and directories in `directory` by name, without hidden ones such as an editor's.
///
/// # Errors
///
/// [`Mistake`] if it cannot be read.
pub fn entries(directory: &Path) -> Result<BTreeMap<String, PathBuf>, Mistake> {
    let unreadable = |error| Mistake::of(directory, format!("cannot be read: {error}"));
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}
