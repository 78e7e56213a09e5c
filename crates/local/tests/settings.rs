//! `docs/settings.md` says the same of each variable as the service's own `--help`.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::Context as _;
use local::build;

type Outcome = anyhow::Result<()>;

/// What is said of a variable.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    default: String,
    limits: String,
    meaning: String,
}

/// The settings in the text of `--help`, by variable.
fn in_help(help: &str) -> BTreeMap<String, Setting> {
    let part = |line: &str, name: &str| {
        let after = line.split_once(&format!("[{name}: "))?.1;
        Some(after.split_once(']')?.0.trim_matches('"').to_owned())
    };
    let setting = |line: &str| {
        let variable = part(line, "env")?;
        let option = line.trim_start().split_once("  ")?.1;
        let meaning = option.split_once("[env: ")?.0.trim().to_owned();
        let default = part(line, "default").unwrap_or_default();
        let limits = part(line, "possible values").unwrap_or_default();
        Some((variable, Setting { default, limits, meaning }))
    };
    help.lines().filter_map(setting).collect()
}

/// The settings in the tables of the document, by variable. Each variable has a row of its own, or
/// one row for each service that has it.
fn in_document(document: &str) -> Vec<(String, Setting)> {
    let setting = |line: &str| {
        let cells: Vec<_> = line.strip_prefix("| `")?.split(" | ").collect();
        let [variable, default, limits, meaning] = cells[..] else { return None };
        let bare = |cell: &str| cell.replace('`', "");
        let meaning = bare(meaning.trim_end_matches('|').trim());
        let setting = Setting { default: bare(default), limits: bare(limits), meaning };
        Some((bare(variable), setting))
    };
    document.lines().filter_map(setting).collect()
}

#[tokio::test]
async fn the_document_has_the_default_limits_and_meaning_that_help_has() -> Outcome {
    let document = fs::read_to_string(build::copilot_directory().join("../docs/settings.md"))?;
    let documented = in_document(&document);
    let binaries = build::binaries().await?;
    for service in ["publisher", "fulfilment", "history", "promotion"] {
        let help = Command::new(build::binary(&binaries, service)?).arg("--help").output()?;
        let settings = in_help(std::str::from_utf8(&help.stdout)?);
        anyhow::ensure!(settings.len() > 5, "{service} --help lists no settings");
        for (variable, expected) in settings {
            let mut rows = documented.iter().filter(|(name, _)| *name == variable).peekable();
            let first = rows.peek().copied().with_context(|| {
                format!("docs/settings.md has no row for {variable} of {service}: {expected:?}")
            })?;
            let own = rows.find(|(_, row)| row.meaning.starts_with(&expected.meaning));
            let (_, row) = own.unwrap_or(first);
            let says = |what: &str, is: &str, should: &str| {
                anyhow::ensure!(
                    is == should,
                    "docs/settings.md has the {what} {is:?} for {variable}, but {service} --help \
                     has {should:?}"
                );
                Ok(())
            };
            says("default", &row.default, &expected.default)?;
            says("limits", &row.limits, &expected.limits)?;
            anyhow::ensure!(
                row.meaning.starts_with(&expected.meaning),
                "docs/settings.md should describe {variable} as {service} --help does: {:?}, \
                 instead of {:?}",
                expected.meaning,
                row.meaning
            );
        }
    }
    Ok(())
}
