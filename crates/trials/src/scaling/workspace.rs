//! Where the files of this workspace are.

use std::path::{Path, PathBuf};

/// A directory or file of the workspace.
pub fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}
