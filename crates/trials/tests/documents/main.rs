//! The documents are the test: it types what they ask a reader to type, and compares the output
//! with what they show.
//!
//! The documents of `docs/workshop` run one after the other in one checkout, each from its first
//! block to its last. Each has to leave the checkout, the exported variables and the port as it
//! found them, so it works with and without the ones before it. `DOCUMENT_TESTS=on` enables this,
//! because it takes port 5000 and some minutes. Links are always checked: that takes no time.

use std::{
    collections::BTreeSet,
    env,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context as _, ensure};

mod blocks;

mod checkout;

mod session;

mod matching;

mod links;

use blocks::{Block, Kind};
use checkout::Checkout;
use session::Session;

const SWITCH: &str = "DOCUMENT_TESTS";
/// The port of the page.
const PORT: u16 = 5000;

fn main() -> anyhow::Result<ExitCode> {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("no workspace")?;
    let checked = links::check(workspace)?;
    println!("documents: {checked} links lead somewhere");
    if !env::var(SWITCH).is_ok_and(|it| it == "on") {
        println!("documents: the workshop is off, so none of its commands ran. Enable it with");
        println!("    {SWITCH}=on cargo test --package trials --test documents");
        return Ok(ExitCode::SUCCESS);
    }
    port_is_free()?;
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let documents_target = target.join("documents-target");
    checkout::seed(&target, &documents_target)?;
    let wanted = env::args().skip(1).find(|it| !it.starts_with('-')).unwrap_or_default();
    let mut reader = Reader::new(workspace, &target, &documents_target)?;
    let (mut passed, mut failed) = (0, 0);
    for document in documents(workspace)? {
        let name = document.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.contains(&wanted) {
            continue;
        }
        let started = Instant::now();
        match reader.follow(&document) {
            Ok(commands) => {
                passed += 1;
                println!(
                    "{name}: {commands} commands ok ({:.1} s)",
                    started.elapsed().as_secs_f32()
                );
            }
            Err(error) => {
                failed += 1;
                println!("{name}: FAILED: {error:#} ({:.1} s)", started.elapsed().as_secs_f32());
                drop(reader);
                reader = Reader::new(workspace, &target, &documents_target)?;
            }
        }
    }
    drop(reader);
    // It is large, and copied again by the next run.
    std::fs::remove_dir_all(&documents_target).context("deleting the copy of the build")?;
    println!("documents: {passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn documents(workspace: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = workspace.join("docs/workshop").read_dir().context("reading docs/workshop")?;
    let mut documents: Vec<_> = entries.map(|it| Ok(it?.path())).collect::<anyhow::Result<_>>()?;
    documents.sort();
    Ok(documents)
}

/// Somebody who follows the documents.
struct Reader {
    session: Session,
    checkout: Checkout,
    /// The variables that were exported at the beginning.
    exported: BTreeSet<String>,
}

impl Reader {
    fn new(workspace: &Path, target: &Path, documents_target: &Path) -> anyhow::Result<Self> {
        let checkout = Checkout::new(workspace, target)?;
        let mut session = Session::start(&checkout.directory, documents_target)?;
        session.exported()?; // bash exports some of its own in the first block
        let exported = session.exported()?;
        Ok(Self { session, checkout, exported })
    }

    /// Does what a document says; returns how many commands ran.
    fn follow(&mut self, document: &Path) -> anyhow::Result<usize> {
        let blocks = blocks::read(&std::fs::read_to_string(document)?)?;
        let mut commands = 0;
        let mut printed = None;
        for block in &blocks {
            let line = block.line;
            self.follow_block(block, &mut printed).with_context(|| format!("line {line}"))?;
            commands +=
                usize::from(matches!(block.kind, Kind::Run | Kind::Fail | Kind::Background));
        }
        self.session.end()?;
        self.nothing_is_left()?;
        Ok(commands)
    }

    fn follow_block(&mut self, block: &Block, printed: &mut Option<String>) -> anyhow::Result<()> {
        let text = &block.text;
        match &block.kind {
            Kind::Run => *printed = Some(self.session.run(text, true)?),
            Kind::Fail => *printed = Some(self.session.run(text, false)?),
            Kind::Background => {
                *printed = None;
                self.session.start_background(text)?;
            }
            Kind::Elsewhere => self.session.check_syntax(text)?,
            Kind::Expected => match printed.take() {
                Some(output) => matching::whole(&output, text)?,
                None => self.session.wait_for(text)?,
            },
            Kind::Log => self.session.wait_for(text)?,
            Kind::File(path) => self.checkout.write(path, text)?,
            Kind::Edit(path) => self.checkout.edit(path, text)?,
        }
        Ok(())
    }

    fn nothing_is_left(&mut self) -> anyhow::Result<()> {
        let changes = self.checkout.changes()?;
        ensure!(changes.is_empty(), "it leaves changed files behind:\n{changes}");
        let exported = self.session.exported()?;
        let left: Vec<_> = exported.difference(&self.exported).collect();
        ensure!(left.is_empty(), "it leaves exported variables behind: {left:?}");
        port_is_free()
    }
}

fn port_is_free() -> anyhow::Result<()> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).with_context(|| format!("port {PORT}"))?;
    Ok(())
}
