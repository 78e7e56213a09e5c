//! `cargo run -p local`, the services that it builds, and `cargo test` compile each dependency
//! once.

use std::{collections::BTreeSet, path::Path, process::Command};

mod running;

use local::build::OTHERS;
use running::Outcome;

/// The dependencies that `selection` compiles, with version and features.
fn compiled(selection: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p} {f}"]);
    let output = tree.args(selection).current_dir(&workspace).output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{complaint}");
    let workspace = workspace.canonicalize()?.display().to_string();
    let printed = String::from_utf8(output.stdout)?;
    // A package that was printed before has a mark, and not its dependencies again.
    let lines = printed.lines().map(|line| line.trim_end_matches(" (*)"));
    Ok(lines.filter(|line| !line.contains(&workspace)).map(str::to_owned).collect())
}

#[test]
fn the_same_features_are_enabled_everywhere() -> Outcome {
    let tests = compiled(&["--workspace", "--edges", "normal,build,dev"])?;
    let local = compiled(&["--package", "local", "--edges", "normal,build"])?;
    let others = OTHERS.iter().flat_map(|package| ["--exclude", package]);
    let services = ["--workspace", "--edges", "normal,build"].into_iter().chain(others);
    let services: Vec<_> = services.collect();
    // As `local --app` builds.
    let app = ["--workspace", "--exclude", "trials", "--edges", "normal,build"];
    for compiled in [local, compiled(&services)?, compiled(&app)?] {
        let again: Vec<_> = compiled.difference(&tests).collect();
        let advice = "add their features to crates/local/Cargo.toml, or see `cargo tree`";
        anyhow::ensure!(again.is_empty(), "compiled more than once: {again:#?}\n{advice}");
    }
    Ok(())
}
