//! `imitate hunt`: record again and again, until a failure shows.

mod condition;

pub use condition::Condition;

use super::program::Outputs;
use super::record::{self, Request, Run};
use super::{chaos, foreground};
use crate::arguments::{Hunt, OrderName};
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use rustix::fs::{SeekFrom, seek};
use std::fs::File;
use std::io::{Write, stderr, stdin, stdout};
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tracer_core::trace::directory;

/// How a hunt ended.
pub enum Hunted {
    /// A run showed what was looked for, and its trace is kept.
    Found,
    /// None did.
    NotFound,
    /// The program cannot be executed: a shell would exit with this status.
    NotRun(i32),
    /// This signal asked the tool to end.
    Interrupted(i32),
}

/// Carries it out. What it has to say goes to stderr; the program's outputs are shown where the program wrote them.
pub fn hunt(options: &Hunt) -> Result<Hunted> {
    let until = if options.until.is_empty() { &condition::DEFAULT[..] } else { &options.until };
    let chaotic = !options.no_chaos && options.options.order == OrderName::Serial;
    let base = chaotic.then(|| chaos::seed(options.options.chaos).unwrap_or_else(chaos::random));
    // Each run reads the same, if it can be read again.
    let input = seek(stdin(), SeekFrom::Current(0)).ok();
    let bar = if options.show { ProgressBar::hidden() } else { ProgressBar::new(options.runs.into()) };
    for number in 0..options.runs {
        if let Some(start) = input {
            seek(stdin(), SeekFrom::Start(start)).context("cannot rewind the program's input")?;
        }
        let seed = base.map(|base| nth_seed(base, number));
        let outputs = outputs()?;
        let request = Request {
            program: &options.program,
            output: options.output.as_deref(),
            options: &options.options,
            chaos: seed,
            outputs: Some(&outputs),
            quiet: true,
        };
        let run = match record::make(&request)? {
            Ok(run) => run,
            Err(status) => return Ok(Hunted::NotRun(status)),
        };
        if let Some(signal) = foreground::asked_to_end() {
            bar.finish_and_clear();
            discard(&run, number)?;
            return Ok(Hunted::Interrupted(signal));
        }
        let written = [contents(&outputs.stdout)?, contents(&outputs.stderr)?];
        let found = until.iter().any(|condition| condition.is_met(run.ending, &written));
        if found || options.show {
            bar.suspend(|| show(&written))?;
        }
        if found {
            bar.finish_and_clear();
            tell(&run, number, options.runs, seed);
            return Ok(Hunted::Found);
        }
        discard(&run, number)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let last = base.map(|base| nth_seed(base, options.runs - 1));
    let seeds = base.zip(last).map(|(first, last)| format!(" (chaos seeds {first} to {last})"));
    eprintln!("imitate: not found in {} runs{}", options.runs, seeds.unwrap_or_default());
    Ok(Hunted::NotFound)
}

/// The seed of run `number`, the first of which is 0.
fn nth_seed(base: NonZeroU64, number: u32) -> NonZeroU64 {
    NonZeroU64::new(base.get().wrapping_add(number.into())).unwrap_or(NonZeroU64::MIN)
}

/// Files, not pipes: a process that a run leaves in the background must not keep the hunt waiting.
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

fn show([out, err]: &[Vec<u8>; 2]) -> Result<()> {
    let mut stdout = stdout().lock();
    stdout.write_all(out).and_then(|()| stdout.flush()).context("cannot write to stdout")?;
    stderr().write_all(err).context("cannot write to stderr")
}

/// Removes the trace of a run that is not wanted.
fn discard(run: &Run, number: u32) -> Result<()> {
    if run.summary.as_ref().is_ok_and(|summary| summary.still_running) {
        eprintln!(
            "imitate: run {} left processes in the background, so that its trace stays: {}",
            number + 1,
            run.directory.display()
        );
        return Ok(());
    }
    Ok(directory::remove(&run.directory)?)
}

fn tell(run: &Run, number: u32, runs: u32, seed: Option<NonZeroU64>) {
    let with = seed.map(|seed| format!(", chaos seed {seed}")).unwrap_or_default();
    eprintln!("imitate: run {} of {runs}{with}: {}", number + 1, run.ending);
    match &run.summary {
        Ok(summary) => {
            if let Some(reason) = &summary.ends_early {
                eprintln!("imitate: {}: the trace ends early: {reason}", run.directory.display());
            }
        }
        Err(error) => eprintln!("imitate: {error}"),
    }
    eprintln!("imitate: to replay it: imitate replay {}", named(&run.directory));
}

/// How a shell's user names a trace: one in the storage directory needs no path.
fn named(trace: &Path) -> String {
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
