//! The setting with the secrets: what is wrong is found, and nothing of it is shown.

use pubsub::env::Misconfigured;

use super::*;
use crate::verify::Sources;

fn read(json: &str) -> Result<Sources, Misconfigured> {
    Sources::read(&json.parse().unwrap())
}

#[test]
fn a_source_has_a_name_and_secrets_of_a_length_that_cannot_be_guessed() {
    let of = |bytes: usize| format!("whsec_{}", "A".repeat(bytes.div_ceil(3) * 4));
    for right in [
        "{}".to_owned(),
        format!(r#"{{"payments": ["{NEW}", "{OLD}"]}}"#),
        format!(r#"{{"a-1": ["{}"], "b": ["{}"]}}"#, of(24), of(63)),
    ] {
        assert!(read(&right).is_ok(), "{right}");
    }
    let wrong = [
        NEW.to_owned(),
        format!(r#"["{NEW}"]"#),
        format!(r#"{{"payments": "{NEW}"}}"#),
        format!(r#"{{"payments": [{NEW}]}}"#),
        r#"{"payments": []}"#.to_owned(),
        r#"{"payments": [""]}"#.to_owned(),
        r#"{"payments": ["whsec_"]}"#.to_owned(),
        format!(r#"{{"payments": ["{}"]}}"#, of(21)),
        format!(r#"{{"payments": ["{}"]}}"#, of(69)),
        format!(r#"{{"payments": ["{NEW}", "{}"]}}"#, NEW.replace("whsec_", "")),
        format!(r#"{{"payments": ["{}"]}}"#, NEW.replace("bmV", "b V")),
        format!(r#"{{"{NEW}": ["{NEW}"]}}"#),
        format!(r#"{{"": ["{NEW}"]}}"#),
    ];
    for wrong in wrong {
        let Err(Misconfigured(why)) = read(&wrong) else { panic!("{wrong}") };
        assert!(why.starts_with("WEBHOOK_SECRETS "), "{why}");
        assert!(!why.contains("whsec_b") && !why.contains("bmV"), "{why}");
    }
}

#[test]
fn the_setting_does_not_show_itself() {
    let settings = Settings {
        webhooks_table_name: "webhooks".to_owned(),
        webhook_secrets: format!(r#"{{"payments": ["{NEW}"]}}"#).parse().unwrap(),
        keep_webhooks_days: 30,
    };
    let shown = format!("{settings:?} {settings:#?}");
    assert!(shown.contains("Secrets(…)") && !shown.contains("bmV3"), "{shown}");
}
