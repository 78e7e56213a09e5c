//! What the handlers share.

use tokio::sync::mpsc;
use uuid::Uuid;
use web::{gate::Gate, watch::Watchers};

use crate::{bucket::Bucket, receipt::Receipt, table::Table};

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    pub receipts: Table,
    pub bucket: Bucket,
    /// The uploads under way.
    pub uploads: Gate,
    /// Where new receipts go to be announced.
    pub fresh: mpsc::Sender<Receipt>,
    /// The receipts that have viewers.
    pub live: Watchers<Uuid, Receipt>,
}
