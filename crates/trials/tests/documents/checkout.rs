//! A copy of this repository for the reader to change, and a copy of its build.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

/// A checkout without changes.
pub struct Checkout {
    pub directory: PathBuf,
}

impl Checkout {
    /// Copies all files that git knows or would add, with their times, so that cargo recognises
    /// what is built already.
    pub fn new(workspace: &Path, target: &Path) -> anyhow::Result<Self> {
        let directory = target.join("documents");
        let script = r#"
            rm --recursive --force "$0"
            mkdir --parents "$0"
            git ls-files --cached --others --exclude-standard -z \
                | xargs --null cp --parents --preserve=timestamps --target-directory "$0"
            git init --quiet "$0"
            cd "$0"
            git add --all
            git -c user.name=reader -c user.email=reader@localhost -c commit.gpgsign=false \
                commit --quiet --no-verify --message 'As checked out'
        "#;
        bash(script, &[&directory], workspace).context("copying the repository")?;
        Ok(Self { directory })
    }

    /// Writes a file.
    pub fn write(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let path = self.directory.join(path);
        std::fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Applies the lines of `diff` to a file: removes those that begin with `-`, adds those with
    /// `+`; the others are context. They have to identify one place.
    pub fn edit(&self, path: &Path, diff: &str) -> anyhow::Result<()> {
        let side = |left_out: char| -> String {
            let lines = diff.lines().filter(|line| !line.starts_with(left_out));
            lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
        };
        let (old, new) = (side('+'), side('-'));
        let text = std::fs::read_to_string(self.directory.join(path))
            .with_context(|| format!("reading {}", path.display()))?;
        let places = text.matches(&old).count();
        ensure!(places == 1, "{} has {places} places with the lines\n{old}", path.display());
        self.write(path, &text.replacen(&old, &new, 1))
    }

    /// The files that differ from the commit, as `git status` lists them.
    pub fn changes(&self) -> anyhow::Result<String> {
        let status = Command::new("git")
            .args(["status", "--porcelain", "--untracked-files=all"])
            .current_dir(&self.directory)
            .output()?;
        ensure!(status.status.success(), "git status exited with {}", status.status);
        Ok(String::from_utf8_lossy(&status.stdout).into_owned())
    }
}

/// Copies the compiled libraries, so that the commands need not compile them again. Cargo takes two
/// copies of a workspace for the same one: in a shared target directory, a reader's changes would
/// get into the binaries of the workspace itself.
pub fn seed(target: &Path, documents_target: &Path) -> anyhow::Result<()> {
    let script = r#"
        rm --recursive --force "$1"
        mkdir --parents "$1/debug/deps"
        cp --archive "$0"/debug/{build,.fingerprint} "$1/debug"
        find "$0/debug/deps" -maxdepth 1 \( -name '*.rlib' -o -name '*.rmeta' -o -name '*.so' \
            -o -name '*.d' \) -exec cp --archive --target-directory "$1/debug/deps" {} +
    "#;
    bash(script, &[target, documents_target], target).context("copying the build")
}

fn bash(script: &str, arguments: &[&Path], directory: &Path) -> anyhow::Result<()> {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).args(arguments).current_dir(directory);
    let status = bash.status()?;
    ensure!(status.success(), "bash exited with {status}");
    Ok(())
}
