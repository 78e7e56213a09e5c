//! Messages of the past that are sent to one subscriber again, and what they cause.
//!
//! A replayed message is the one that SNS sent, with the attribute [`REPLAYED`]. Handlers need not
//! know: they are idempotent. What a handler publishes because of one has the attribute [`CAUSED`],
//! and so has what that causes, so that others can tell it from news. The values say when the
//! replay began.

use std::{collections::BTreeMap, future::Future};

/// The attribute of a message that was sent to a subscriber again, past SNS.
pub const REPLAYED: &str = "replayed";
/// The attribute of a message that was published because of a replayed one.
pub const CAUSED: &str = "caused_by_replay";

tokio::task_local! {
    static REPLAY: Option<String>;
}

/// The replay that a message with these attributes is part of.
pub(crate) fn of(attributes: &BTreeMap<String, String>) -> Option<String> {
    attributes.get(REPLAYED).or(attributes.get(CAUSED)).cloned()
}

/// Runs the handler of a message that is part of a replay, or of none.
pub(crate) async fn causes<F: Future>(replay: Option<String>, handler: F) -> F::Output {
    REPLAY.scope(replay, handler).await
}

/// When the replay began because of which the current task publishes.
pub(crate) fn cause() -> Option<String> {
    REPLAY.try_with(Clone::clone).ok().flatten()
}
