//! Every link of every document that stays in this repository leads somewhere.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Checks all links; returns how many there are.
pub fn check(workspace: &Path) -> anyhow::Result<usize> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(workspace)
        .output()
        .context("asking git for the documents")?;
    ensure!(listed.status.success(), "git does not list the documents");
    let mut checked = 0;
    let mut broken = Vec::new();
    for document in String::from_utf8(listed.stdout)?.lines().map(|it| workspace.join(it)) {
        for link in links(&std::fs::read_to_string(&document)?) {
            checked += 1;
            if !leads_somewhere(&document, &link)? {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    ensure!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    Ok(checked)
}

/// The links to this repository in a document.
fn links(markdown: &str) -> Vec<String> {
    let options = Options::ENABLE_TABLES;
    Parser::new_ext(markdown, options)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.into_string())
            }
            _ => None,
        })
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

fn leads_somewhere(document: &Path, link: &str) -> anyhow::Result<bool> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target: PathBuf = match path {
        "" => document.to_owned(),
        path => document.parent().context("a document is in a directory")?.join(path),
    };
    if !target.exists() {
        return Ok(false);
    }
    Ok(anchor.is_empty() || anchors(&std::fs::read_to_string(target)?).contains(anchor))
}

/// The anchors that GitHub gives the headings of a document.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    *heading += &text;
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let text = heading.take().unwrap_or_default().to_lowercase();
                let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                anchors.insert(kept.collect::<String>().replace(' ', "-"));
            }
            _ => {}
        }
    }
    anchors
}
