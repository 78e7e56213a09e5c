//! The real files as they are, and copies of them in which something is changed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::Workspace;

mod mistakes;

/// A copy of the real files, removed when it is dropped.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("copilot-{}-{number}", std::process::id());
        let copy = std::env::temp_dir().join(name);
        copy_directory(&real(), &copy);
        Self(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn real() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot")
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_real_files_have_no_mistake() {
    let workspace = Workspace::read(&real(), "test").unwrap();
    let names: Vec<&str> = workspace.services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["publisher", "fulfilment", "promotion"]);
    let fulfilment = &workspace.services[1];
    assert_eq!(fulfilment.manifest.variables["BANNER"].0, "on", "overridden");
    assert_eq!(fulfilment.manifest.variables["RUST_LOG"].0, "info", "kept");
}

#[test]
fn every_manifest_names_a_dockerfile_that_is_there() {
    for service in Workspace::read(&real(), "test").unwrap().services {
        let manifest = fs::read_to_string(&service.file).unwrap();
        let named = manifest.lines().find_map(|it| it.trim().strip_prefix("dockerfile: "));
        let dockerfile = real().join("..").join(named.unwrap());
        let content = fs::read_to_string(&dockerfile).unwrap_or_default();
        let binary = format!("ENTRYPOINT [\"/usr/local/bin/{}\"]", service.name);
        assert!(content.contains(&binary), "{} does not run {binary}", dockerfile.display());
    }
}

#[test]
fn an_argument_of_an_addon_has_to_be_in_copilots_template() {
    let copy = Copy::new();
    let arguments = copy.0.join("fulfilment/addons/addons.parameters.yml");
    fs::write(arguments, "Parameters:\n  StatusTopic: !Ref pingSNSTopic\n").unwrap();
    let mistake = Workspace::read(&copy.0, "test").unwrap_err();
    assert!(mistake.to_string().contains("pingSNSTopic"), "{mistake}");
}
