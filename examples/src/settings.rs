//! What a test run can be told from outside, all by environment variables.

use anyhow::{Context, Result, bail};
use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of one test run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `IMITATE_TEST_TOOL`: the `imitate` to test; by default the release build beside the tests.
    pub tool: PathBuf,
    /// `IMITATE_TEST_REPLAYS`: how often each recording is replayed; 3 by default, 20 for the whole proof.
    pub replays: u32,
    /// `IMITATE_TEST_PATIENCE`: after how many seconds a program is taken to hang and is killed. By default 120, far
    /// more than any needs: it only keeps a hang from stopping the whole test run.
    pub patience: Duration,
    /// `IMITATE_TEST_LOAD=1`: two busy loops run beside, so that the scheduler interferes.
    pub under_load: bool,
    /// `IMITATE_TEST_NATIVE=1`: nothing is recorded; only checks that the cases do what they say natively.
    pub native_only: bool,
}

impl Settings {
    /// Reads the environment. An error names the variable or the tool that is missing.
    pub fn from_environment() -> Result<Settings> {
        let native_only = switch("IMITATE_TEST_NATIVE");
        let tool = match env::var_os("IMITATE_TEST_TOOL") {
            Some(path) => PathBuf::from(path),
            None => target_directory()?.join("release/imitate"),
        };
        if !native_only && !tool.is_file() {
            bail!(
                "{} does not exist: run `cargo build --release -p preload -p replayer` first, \
                 or set IMITATE_TEST_TOOL to the imitate to test",
                tool.display()
            );
        }
        Ok(Settings {
            tool,
            replays: number("IMITATE_TEST_REPLAYS", 3)?,
            patience: Duration::from_secs(number("IMITATE_TEST_PATIENCE", 120)?.into()),
            under_load: switch("IMITATE_TEST_LOAD"),
            native_only,
        })
    }
}

fn number(name: &str, otherwise: u32) -> Result<u32> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is {text:?}; it must be a whole number")),
        Err(_) => Ok(otherwise),
    }
}

fn switch(name: &str) -> bool {
    env::var(name).is_ok_and(|value| value != "0" && !value.is_empty())
}

/// Cargo's target directory, found from the running test or benchmark, which Cargo has put below it.
pub fn target_directory() -> Result<PathBuf> {
    let executable = env::current_exe().context("cannot find the path of the running program")?;
    executable
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file())
        .map(PathBuf::from)
        .with_context(|| format!("{} is not below a Cargo target directory", executable.display()))
}
