//! Running cargo, and where it puts things.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's top directory.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// cargo, to be run at the top of the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(workspace());
    cargo
}

/// Says what is run, runs it, and fails if it does.
pub fn run(mut command: Command) -> Result<()> {
    let line = shown(&command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// A command as one would type it (without quoting).
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Builds the tool and the library with optimisation; gives the directory that they are in.
pub fn build_release() -> Result<PathBuf> {
    run(cargo(&["build", "--release", "--package", "preload", "--package", "replayer"]))?;
    // This program is in the same target directory, which may be set in more ways than one.
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let target = own.ancestors().nth(2).context("xtask is not in a target directory")?;
    Ok(target.join("release"))
}
