//! What the tool does with real recordings: what it finds in them, and what it does when all is not well (divergences,
//! traces that end early, changed programs, fatal signals), gdb, hunts. That replays are identical is proven by the end-to-end tests of `examples`.
//!
//! The library comes from the release build, which `cargo xtask test` makes first.

mod altered;
mod analysis;
mod backtraces;
mod backwards;
mod bisecting;
mod command;
mod debugger;
mod divergence;
mod document;
mod endings;
mod gallery;
mod guide;
mod hunting;
mod messages;
mod packing;
mod processor;
mod rebuilding;
mod threads;
mod verification;
mod walk;
mod walkthrough;
mod writer;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// imitate itself failed.
const FAILED: Option<i32> = Some(125);

/// A directory for one trace and whatever else a test needs.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { directory: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn trace(&self) -> PathBuf {
        self.path("trace")
    }

    /// Records a command line; gives what came of it.
    fn record(&self, command: &[&str]) -> Output {
        self.record_with(&[], command)
    }

    /// The same with options.
    fn record_with(&self, options: &[&str], command: &[&str]) -> Output {
        let mut tool = imitate();
        tool.arg("record").args(options).arg("--output").arg(self.trace()).arg("--").args(command);
        tool.output().unwrap()
    }

    fn replay(&self) -> Output {
        imitate().arg("replay").arg(self.trace()).output().unwrap()
    }
}

/// The tool under test, with the library of the release build.
fn imitate() -> Command {
    let tool = Path::new(env!("CARGO_BIN_EXE_imitate"));
    let target = tool.ancestors().nth(2).unwrap();
    let library = target.join("release/libimitate.so");
    assert!(
        library.is_file(),
        "{} is missing: run `cargo build --release --package preload` first",
        library.display()
    );
    let mut command = Command::new(tool);
    command.env("IMITATE_LIBRARY", library);
    // SAFETY: the closure runs in the forked child, and only makes system calls.
    unsafe { command.pre_exec(heed_signals) };
    command
}

/// Lets signals end the program, as in a terminal: this test may have been started by nohup, or in the background.
fn heed_signals() -> std::io::Result<()> {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // SAFETY: sets a signal's default disposition.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
