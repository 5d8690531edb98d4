//! The tool's surface: what it prints, what it refuses, how it exits. Traces are made here byte by byte; real
//! recordings are the end-to-end tests' business.

mod inspection;
mod management;
mod messages;
mod paging;
mod synthetic;

use assert_cmd::Command;
use tempfile::TempDir;

/// The tool, with an empty storage directory of its own.
struct Tool {
    storage: TempDir,
}

impl Tool {
    fn new() -> Tool {
        Tool { storage: TempDir::new().unwrap() }
    }

    fn run(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("imitate").unwrap();
        command.env("IMITATE_DIR", self.storage.path()).args(arguments);
        command
    }

    /// What it prints on stdout, where it succeeds and says nothing on stderr.
    fn prints(&self, arguments: &[&str]) -> String {
        let assert = self.run(arguments).assert().success().stderr("");
        String::from_utf8(assert.get_output().stdout.clone()).unwrap()
    }
}
