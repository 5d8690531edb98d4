//! A recording whose outcome is looked at: the program writes to files, so that the tool's own messages are not mixed in, and
//! reads what it read the last time.

use super::foreground;
use super::hunt::Condition;
use super::program::Outputs;
use super::record::{self, Request, Run};
use anyhow::{Context, Result};
use rustix::fs::{SeekFrom, seek};
use std::fs::File;
use std::io::{Write, stderr, stdin, stdout};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tracer_core::trace::directory;

/// What came of it.
pub enum Tried {
    /// The program ran.
    Ran(Box<Trial>),
    /// The program cannot be executed: a shell would exit with this status.
    NotRun(i32),
    /// This signal asked the tool to end. The trace is removed.
    Interrupted(i32),
}

/// A recording that was made.
pub struct Trial {
    /// The recording.
    pub run: Run,
    /// What the program wrote to stdout and stderr.
    pub written: [Vec<u8>; 2],
}

/// Where the program's input was at the beginning, if it can be read again.
pub struct Input(Option<u64>);

impl Input {
    /// Where it is now.
    pub fn here() -> Input {
        Input(seek(stdin(), SeekFrom::Current(0)).ok())
    }
}

/// Makes a recording.
pub fn make(request: &Request, input: &Input) -> Result<Tried> {
    if let Some(start) = input.0 {
        seek(stdin(), SeekFrom::Start(start)).context("cannot rewind the program's input")?;
    }
    let outputs = outputs()?;
    let request = Request { outputs: Some(&outputs), quiet: true, ..*request };
    let run = match record::make(&request)? {
        Ok(run) => run,
        Err(status) => return Ok(Tried::NotRun(status)),
    };
    if let Some(signal) = foreground::asked_to_end() {
        discard(&run)?;
        return Ok(Tried::Interrupted(signal));
    }
    let written = [contents(&outputs.stdout)?, contents(&outputs.stderr)?];
    Ok(Tried::Ran(Box::new(Trial { run, written })))
}

impl Trial {
    /// Whether it shows one of these.
    pub fn shows(&self, conditions: &[Condition]) -> bool {
        conditions.iter().any(|condition| condition.is_met(self.run.ending, &self.written))
    }

    /// Writes what the program wrote, where it would have been written.
    pub fn show(&self) -> Result<()> {
        let [out, err] = &self.written;
        let mut stdout = stdout().lock();
        stdout.write_all(out).and_then(|()| stdout.flush()).context("cannot write to stdout")?;
        stderr().write_all(err).context("cannot write to stderr")
    }

    /// Removes the trace. False if that cannot be done, because processes go on in the background.
    pub fn discard(&self) -> Result<bool> {
        discard(&self.run)
    }
}

fn discard(run: &Run) -> Result<bool> {
    if run.summary.as_ref().is_ok_and(|summary| summary.still_running) {
        return Ok(false);
    }
    directory::remove(&run.directory)?;
    Ok(true)
}

/// Files, not pipes: a process that a run leaves in the background must not keep the tool waiting.
fn outputs() -> Result<Outputs> {
    let file = || tempfile::tempfile().context("cannot make a temporary file for the program's output");
    Ok(Outputs { stdout: file()?, stderr: file()? })
}

/// All of a file, whose position is the program's.
fn contents(file: &File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read_at(&mut piece, bytes.len() as u64).context("cannot read the program's output")? {
            0 => return Ok(bytes),
            length => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

/// How a shell's user names a trace: one in the storage directory needs no path.
pub fn named(trace: &Path) -> String {
    let stored = directory::root().ok().and_then(|root| std::path::absolute(root).ok());
    let name = match (stored, trace.file_name()) {
        (Some(root), Some(name)) if trace.parent() == Some(&*root) => name,
        _ => trace.as_os_str(),
    };
    match shlex::bytes::try_quote(name.as_bytes()) {
        Ok(quoted) => String::from_utf8_lossy(&quoted).into_owned(),
        // A name with a NUL, which no file has.
        Err(_) => name.to_string_lossy().into_owned(),
    }
}
