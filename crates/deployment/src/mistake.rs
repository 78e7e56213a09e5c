//! A mistake in a file, as one sentence that names the place.

use std::path::{Path, PathBuf};

use serde_saphyr::Location;
use thiserror::Error;

/// A mistake in a file: one sentence with the file, the line, the column and the key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}:{line}:{column}: {what}", file.display())]
pub struct Mistake {
    /// The path under which the file was read.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The mistake, beginning with its key.
    pub what: String,
}

/// A mistake in a file whose path is known further up: its place and its sentence.
pub type Wrong = (Location, String);

impl Mistake {
    /// A mistake at a place in a file.
    pub fn at(file: &Path, location: Location, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: location.line().max(1),
            column: location.column().max(1),
            what: what.into(),
        }
    }

    /// A mistake in `file`.
    pub fn from_wrong(file: &Path, (location, what): Wrong) -> Self {
        Self::at(file, location, what)
    }

    /// A mistake that concerns a whole file or directory.
    pub fn of(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1, what: what.into() }
    }
}
