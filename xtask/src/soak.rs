//! `cargo xtask soak`: the real programs that are too heavy for every run of the tests.

use crate::commands::{build_release, cargo, run, workspace};
use anyhow::Result;
use std::process::Command;

/// How often each recording is replayed, unless the environment says otherwise.
const REPLAYS: (&str, &str) = ("IMITATE_TEST_REPLAYS", "20");

/// Installs what they need, then records and replays those whose name has `filter` in it.
pub fn run_soak(filter: Option<String>) -> Result<()> {
    run(Command::new(workspace().join("examples/soak-packages")))?;
    build_release()?;
    let mut soak = cargo(&["test", "--release", "--package", "examples", "--test", "soak"]);
    if std::env::var_os(REPLAYS.0).is_none() {
        soak.env(REPLAYS.0, REPLAYS.1);
    }
    // One at a time: each of them is busy on every processor.
    soak.args(["--", "--test-threads", "1"]).args(filter);
    run(soak)
}
