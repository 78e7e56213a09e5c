//! What happens when a person saves a file while `local` runs.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use anyhow::Context as _;
use serde_json::{Value, json};

mod running;

use running::{Outcome, Running, copilot, local, order};

/// A workspace whose cargo is a script: what `build` says is in `answer`, what `metadata` says is
/// the truth.
struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("promotion/src/main.rs");
        fs::create_dir_all(source.parent().context("no folder")?)?;
        fs::write(&source, "")?;
        fs::write(folder.path().join("Cargo.lock"), "")?;
        let manifest = folder.path().join("promotion/Cargo.toml");
        let metadata = json!({"packages": [{"name": "promotion", "manifest_path": manifest}]});
        let workspace = Self { folder };
        workspace.answers(&[], 0)?;
        let script = format!(
            "#!/bin/sh\ncd {}\ncase \"$*\" in\nmetadata*) echo '{metadata}';;\n\
             *--message-format*) cat answer; exit \"$(cat code)\";;\nesac\n",
            workspace.path().display()
        );
        let cargo = workspace.path().join("cargo");
        fs::write(&cargo, script)?;
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;
        Ok(workspace)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the next build says.
    fn answers(&self, messages: &[Value], code: u8) -> Outcome {
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        fs::write(self.path().join("answer"), lines)?;
        Ok(fs::write(self.path().join("code"), code.to_string())?)
    }

    /// Saves a source as an editor does.
    fn save(&self) -> Outcome {
        Ok(fs::write(self.path().join("promotion/src/main.rs"), "fn main() {}\n")?)
    }

    fn run(&self, copilot: &Path) -> anyhow::Result<Running> {
        self.run_with(copilot, &[])
    }

    fn run_with(&self, copilot: &Path, variables: &[(&str, &str)]) -> anyhow::Result<Running> {
        let mut command = local();
        command.envs(variables.iter().copied());
        command.args(["--port", "0", "--aws-port", "0", "--from"]).arg(copilot);
        command.env("CARGO", self.path().join("cargo"));
        command.env("CARGO_MANIFEST_DIR", self.path().join("promotion"));
        Running::of(command)
    }
}

#[test]
fn a_saved_source_is_built_and_its_service_is_replaced_and_nothing_is_lost() -> Outcome {
    let workspace = Workspace::new()?;
    let mut local = workspace.run(&copilot())?;
    let before = order(&local.page, "20")?;
    let of = |name: &str, fresh| {
        let executable = format!("/target/debug/{name}");
        json!({"reason": "compiler-artifact", "fresh": fresh, "executable": executable})
    };
    workspace.answers(&[of("publisher", true), of("promotion", false)], 0)?;
    workspace.save()?;
    local.wait_for(|line| line.contains("promotion/src/main.rs changed: building"))?;
    local.wait_for(|line| line.contains("replaced promotion"))?;
    // The account and its tables are still there.
    let mut stream = TcpStream::connect(&local.page)?;
    let request =
        format!("GET /orders/{before} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    order(&local.page, "120")?;
    local.wait_for(|line| line.contains("coupon granted"))?;
    assert!(local.stop()?.success());
    let starts =
        local.of_service("promotion").into_iter().filter(|it| it.contains(" starts")).count();
    assert_eq!(starts, 2, "{:#?}", local.printed);
    Ok(())
}

#[test]
fn an_order_in_the_hands_of_a_worker_that_is_replaced_is_finished_first() -> Outcome {
    let workspace = Workspace::new()?;
    // Longer than a web service may drain.
    let mut local = workspace.run_with(&copilot(), &[("PACE_MS", "1000"), ("BANNER", "on")])?;
    let built = json!({
        "reason": "compiler-artifact", "fresh": false, "executable": "/target/debug/fulfilment",
    });
    workspace.answers(&[built], 0)?;
    let id = order(&local.page, "20")?;
    local.wait_for(|line| line.contains("fulfilling the order"))?;
    workspace.save()?;
    local.wait_for(|line| line.contains("replaced fulfilment"))?;
    let fulfilled = local.wait_for(|line| line.contains("order fulfilled"))?;
    assert!(fulfilled.contains(&id) && fulfilled.contains("attempt=1"), "{fulfilled}");
    assert!(local.stop()?.success());
    Ok(())
}

#[test]
fn a_saved_manifest_changes_the_account_and_the_services_that_need_it() -> Outcome {
    let workspace = Workspace::new()?;
    let copilot = workspace.path().join("copilot");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot/.");
    assert!(Command::new("cp").arg("-R").args([&source, &copilot]).status()?.success());
    let mut local = workspace.run(&copilot)?;
    let replace = |service: &str, from: &str, to: &str| {
        let path = copilot.join(service).join("manifest.yml");
        let text = fs::read_to_string(&path)?;
        assert!(text.contains(from), "{service} has no {from}");
        anyhow::Ok(fs::write(path, text.replacen(from, to, 1))?)
    };
    // Promotion need not know its filter policy, but the publisher prints the offer.
    replace("promotion", "- 80\n", "- 20\n")?;
    local.wait_for(|line| line.contains("the account is as the manifests say"))?;
    order(&local.page, "30")?;
    local.wait_for(|line| line.contains("coupon granted"))?;
    replace("publisher", "OFFER: Orders", "OFFER: All orders")?;
    local.wait_for(|line| line.contains("replaced publisher"))?;
    replace("promotion", "tries: 10 #", "tries: many #")?;
    local.wait_for(|line| line.contains("promotion/manifest.yml:") && line.contains("tries"))?;
    assert!(local.stop()?.success());
    Ok(())
}

#[test]
fn a_source_that_does_not_build_is_shown_while_the_old_process_goes_on() -> Outcome {
    let workspace = Workspace::new()?;
    let mut local = workspace.run(&copilot())?;
    let message = json!({"level": "error", "rendered": "error: expected `;`\n --> main.rs:1:2\n"});
    let message = json!({"reason": "compiler-message", "message": message});
    workspace.answers(&[message], 101)?;
    workspace.save()?;
    local.wait_for(|line| line.contains("does not build"))?;
    local.wait_for(|line| line == "error: expected `;`")?;
    order(&local.page, "120")?;
    local.wait_for(|line| line.contains("coupon granted"))?;
    assert!(local.stop()?.success());
    Ok(())
}
