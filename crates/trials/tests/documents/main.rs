//! The documents are the test: what they tell a reader to type is typed, and what they say comes of
//! it has to come.
//!
//! Each document of `docs/workshop` runs from its first block to its last, in a copy of this
//! workspace that nothing was done to. It is switched on by `DOCUMENT_TESTS=on`, because it takes
//! port 5000 and some minutes. Links are checked always: that takes no time.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, ensure};

mod blocks;

mod session;

mod matching;

mod links;

use blocks::{Block, Kind};
use session::Session;

const SWITCH: &str = "DOCUMENT_TESTS";

fn main() -> anyhow::Result<ExitCode> {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("no workspace")?;
    let checked = links::check(workspace)?;
    println!("documents: {checked} links lead somewhere");
    if !env::var(SWITCH).is_ok_and(|it| it == "on") {
        println!("documents: the workshop is off, none of its commands was run. Switch it on by");
        println!("    {SWITCH}=on cargo test --package trials --test documents");
        return Ok(ExitCode::SUCCESS);
    }
    let target = target(workspace);
    seed(&target, &documents_target(&target))?;
    let wanted = env::args().skip(1).find(|it| !it.starts_with('-')).unwrap_or_default();
    let (mut passed, mut failed) = (0, 0);
    for document in documents(workspace)? {
        let name = document.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.contains(&wanted) {
            continue;
        }
        let started = Instant::now();
        let outcome = follow(workspace, &target, &document);
        let verdict = match &outcome {
            Ok(commands) => format!("{commands} commands ok"),
            Err(error) => format!("FAILED: {error:#}"),
        };
        println!("{name}: {verdict} ({:.1} s)", started.elapsed().as_secs_f32());
        match outcome {
            Ok(_) => passed += 1,
            Err(_) => failed += 1,
        }
    }
    println!("documents: {passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn documents(workspace: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = workspace.join("docs/workshop").read_dir().context("reading docs/workshop")?;
    let mut documents: Vec<_> = entries.map(|it| Ok(it?.path())).collect::<anyhow::Result<_>>()?;
    documents.sort();
    Ok(documents)
}

/// Does what a document says, in a fresh copy; returns how many commands were run.
fn follow(workspace: &Path, target: &Path, document: &Path) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(document)?;
    let blocks = blocks::read(&text)?;
    let copy = copy(workspace, target)?;
    let mut session = Session::start(&copy, &documents_target(target))?;
    let mut commands = 0;
    let mut printed = None;
    for Block { kind, text, line } in &blocks {
        let outcome = match kind {
            Kind::Run => session.run(text).map(|output| {
                printed = Some(output);
                commands += 1;
            }),
            Kind::Background => session.start_background(text).map(|()| {
                printed = None;
                commands += 1;
            }),
            Kind::Elsewhere => session.check_syntax(text),
            Kind::Expected => match printed.take() {
                Some(output) => matching::whole(&output, text),
                None => session.wait_for(text),
            },
            Kind::Log => session.wait_for(text),
            Kind::File(path) => write(&copy.join(path), text),
        };
        outcome.with_context(|| format!("line {line}"))?;
    }
    session.end()?;
    Ok(commands)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// A copy of all that is in the repository, with the times of its files, so that cargo knows what it
/// compiled of it.
fn copy(workspace: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let copy = target.join("documents");
    let script = r#"
        rm --recursive --force "$0"
        mkdir --parents "$0"
        git ls-files --cached --others --exclude-standard -z \
            | xargs --null cp --parents --preserve=timestamps --target-directory "$0"
    "#;
    bash(script, &[&copy], workspace).context("copying the workspace")?;
    Ok(copy)
}

/// Copies what cargo compiled, so that a reader need not wait for it once more. Cargo takes two
/// copies of a workspace for the same one: in one target directory, what a reader changes would get
/// into the binaries of the workspace itself.
fn seed(target: &Path, documents_target: &Path) -> anyhow::Result<()> {
    let script = r#"
        rm --recursive --force "$1"
        mkdir --parents "$1/debug"
        cp --archive "$0"/debug/{deps,build,.fingerprint} "$1/debug"
    "#;
    bash(script, &[target, documents_target], target).context("copying what was compiled")
}

fn bash(script: &str, arguments: &[&Path], directory: &Path) -> anyhow::Result<()> {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).args(arguments).current_dir(directory);
    let status = bash.status()?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

fn target(workspace: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

fn documents_target(target: &Path) -> PathBuf {
    target.join("documents-target")
}
