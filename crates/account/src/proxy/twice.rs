//! How many of its deliveries SNS makes twice.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use super::outage::happens;

/// How many deliveries are made twice, in percent; at first, none. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Twice(Arc<AtomicU8>);

impl Twice {
    /// From now on, this percentage of them.
    pub(super) fn set(&self, percent: u8) {
        self.0.store(percent, Ordering::Relaxed);
    }

    /// Whether the next one is.
    pub fn next(&self) -> bool {
        happens(self.0.load(Ordering::Relaxed))
    }
}
