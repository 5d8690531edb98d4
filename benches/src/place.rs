//! The directory that all runs of a workload share, and how they are started there.

use crate::workload::{Command, Workload};
use anyhow::{Context, Result, ensure};
use examples::programs;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// A prepared workload.
pub struct Place {
    root: TempDir,
    /// The program and its arguments.
    pub words: Vec<OsString>,
    input: Option<PathBuf>,
    client: Option<&'static str>,
}

impl Place {
    /// Makes the inputs of `workload`.
    pub fn new(workload: &Workload) -> Result<Place> {
        let root = tempfile::Builder::new().prefix("imitate-bench-").tempdir()?;
        (workload.prepare)(root.path()).context("cannot make the inputs")?;
        let split = |words: &str| words.split(' ').map(OsString::from).collect::<Vec<OsString>>();
        let client = match workload.command {
            Command::Served(_, client) => Some(client),
            _ => None,
        };
        let (words, input) = match workload.command {
            Command::Installed(words) | Command::Served(words, _) => (split(words), None),
            Command::Fed(words, input) => (split(words), Some(root.path().join(input))),
            Command::Own(source) => (vec![program(source)?.into()], None),
            Command::Loop(source, calls) => (vec![program(source)?.into(), calls.to_string().into()], None),
        };
        Ok(Place { root, words, input, client })
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

    /// Runs `words` to their end, their output discarded, and the client of a server; returns the seconds that it took,
    /// or the client if there is one. An error if they fail.
    pub fn time(&self, words: &[OsString]) -> Result<f64> {
        let Some(script) = self.client else { return self.time_replay(words) };
        self.settle()?;
        let server = self.start(words)?;
        // It is there when it accepts a connection; how long that takes is not part of the throughput.
        let ready = format!("until (exec 3<>/dev/tcp/127.0.0.1/{}) 2>&-; do :; done", port(script)?);
        self.finish(self.start(&["bash".into(), "-c".into(), ready.into()])?)?;
        let started = Instant::now();
        self.finish(self.start(&["bash".into(), "-c".into(), script.into()])?).context("the client")?;
        let seconds = started.elapsed().as_secs_f64();
        self.finish(server)?;
        Ok(seconds)
    }

    /// Runs `words` to their end by themselves, which is all that a replay needs; returns the seconds that it took.
    pub fn time_replay(&self, words: &[OsString]) -> Result<f64> {
        self.settle()?;
        let started = Instant::now();
        self.finish(self.start(words)?)?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Waits until the disk has what earlier runs wrote: a run that deletes or overwrites a file waits for that, and would
    /// pay for its predecessor, which is always the same kind of run.
    fn settle(&self) -> Result<()> {
        let status = process::Command::new("sync").arg("--file-system").arg(self.root.path()).status();
        ensure!(status.context("cannot run sync")?.success(), "sync failed");
        Ok(())
    }

    fn start(&self, words: &[OsString]) -> Result<Child> {
        let input = match &self.input {
            Some(path) => File::open(path).with_context(|| format!("cannot open {}", path.display()))?.into(),
            None => Stdio::null(),
        };
        let mut command = process::Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.root.path());
        command.stdin(input).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().with_context(|| format!("cannot run {command:?}"))
    }

    fn finish(&self, child: Child) -> Result<()> {
        let output = child.wait_with_output()?;
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}\n{message}", self.words[0].display(), output.status);
        Ok(())
    }
}

/// The first number of four digits in a client's script: the port of its server.
fn port(script: &str) -> Result<&str> {
    script
        .split(|character: char| !character.is_ascii_digit())
        .find(|digits| digits.len() == 4)
        .context("the client's script has no port")
}

/// The executable for a source in `benches/programs`.
pub fn program(source: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(source);
    programs::executable(&path, "")
}
