//! What Copilot's own code says of our files with a change, and that ours says the same: it takes
//! them, takes them but cannot do it here, or refuses them.
//!
//! Copilot's verdicts are those of its source, v1.33.

use std::fs;

use super::Copy;
use crate::copilot::read;

use Verdict::{Refused, Taken, Unsupported};

mod environments;
mod services;
mod templates;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Copilot deploys it, and it is read here.
    Taken,
    /// Copilot deploys it, and a local account cannot.
    Unsupported,
    /// Copilot refuses it; a part of the sentence here.
    Refused(&'static str),
}

/// A file, a text in it, and what replaces it.
type Edit = (&'static str, &'static str, &'static str);

const FULFILMENT: &str = "fulfilment/manifest.yml";
const PROMOTION: &str = "promotion/manifest.yml";
const PUBLISHER: &str = "publisher/manifest.yml";
const ENVIRONMENT: &str = "environments/test/manifest.yml";
const PIPELINE: &str = "pipelines/pubsub-main/manifest.yml";
const PATCHES: &str = "fulfilment/overrides/cfn.patches.yml";

fn check(cases: &[(&[Edit], Verdict)]) {
    for (edits, verdict) in cases {
        let copy = Copy::new();
        for (file, old, new) in *edits {
            let path = copy.0.join(file);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(old), "{file} has no {old:?}");
            fs::write(&path, text.replacen(old, new, 1)).unwrap();
        }
        let said = read(&copy.0, "test").map(drop).map_err(|mistake| mistake.to_string());
        let fits = match (verdict, &said) {
            (Taken, said) => said.is_ok(),
            (Unsupported, Err(what)) => what.contains("is not supported by the local account"),
            (Refused(part), Err(what)) => what.contains(part) && !what.contains('\n'),
            (_, Ok(())) => false,
        };
        assert!(fits, "{edits:?}\nshould be {verdict:?}, and is {said:?}");
    }
}
