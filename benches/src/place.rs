//! The directory that all runs of a workload share, and how they are started there.

use crate::workload::{Command, Workload};
use anyhow::{Context, Result, ensure};
use examples::programs;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// A prepared workload.
pub struct Place {
    root: TempDir,
    /// The program and its arguments.
    pub words: Vec<OsString>,
    input: Option<PathBuf>,
}

impl Place {
    /// Makes the inputs of `workload`.
    pub fn new(workload: &Workload) -> Result<Place> {
        let root = tempfile::Builder::new().prefix("imitate-bench-").tempdir()?;
        (workload.prepare)(root.path()).context("cannot make the inputs")?;
        let split = |words: &str| words.split(' ').map(OsString::from).collect::<Vec<OsString>>();
        let (words, input) = match workload.command {
            Command::Installed(words) => (split(words), None),
            Command::Fed(words, input) => (split(words), Some(root.path().join(input))),
            Command::Loop(source, calls) => (vec![program(source)?.into(), calls.to_string().into()], None),
        };
        Ok(Place { root, words, input })
    }

    /// Where the trace of a recording goes.
    pub fn trace(&self) -> PathBuf {
        self.root.path().join("trace")
    }

    /// Deletes the trace, so that the next recording can be made.
    pub fn remove_trace(&self) -> Result<()> {
        let trace = self.trace();
        fs::remove_dir_all(&trace).with_context(|| format!("cannot delete {}", trace.display()))
    }

    /// Runs `words` to their end, their output discarded; returns the seconds that it took. An error if they fail.
    pub fn time(&self, words: &[OsString]) -> Result<f64> {
        let input = match &self.input {
            Some(path) => File::open(path).with_context(|| format!("cannot open {}", path.display()))?.into(),
            None => Stdio::null(),
        };
        let mut command = process::Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.root.path());
        command.stdin(input).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let output = child.wait_with_output()?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(
            output.status.success(),
            "{command:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(seconds)
    }
}

/// The executable for a source in `benches/programs`.
pub fn program(source: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(source);
    programs::executable(&path, "")
}
