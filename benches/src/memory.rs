//! How much memory a recorder adds to a process, and needs beside it.

use crate::place::program;
use anyhow::{Context, Result};
use examples::process_tree::descendants;
use examples::recorder::Recorder;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What the filter of the command line is compared with.
pub const NAME: &str = "memory";
/// Bytes that recording may add to a process at most.
pub const TARGET_BYTES: u64 = 32 << 20;

/// Resident bytes while a program that has made many calls waits.
#[derive(Serialize, Deserialize)]
pub struct Memory {
    /// Of the program by itself.
    pub native_bytes: u64,
    /// Of the recorded program.
    pub recorded_bytes: u64,
    /// Of the recorded program and every process that the recorder runs beside it.
    pub recorded_with_companions_bytes: u64,
}

/// Measures it.
pub fn measure(recorder: &Recorder) -> Result<Memory> {
    let words: Vec<OsString> = vec![program("resident.c")?.into()];
    let root = tempfile::tempdir()?;
    let (native_bytes, _) = resident(&words).context("natively")?;
    let (recorded_bytes, recorded_with_companions_bytes) =
        resident(&recorder.record(&words, &root.path().join("trace"), None, false)).context("recorded")?;
    Ok(Memory { native_bytes, recorded_bytes, recorded_with_companions_bytes })
}

/// Proportional share of the resident memory of the program, and of it and all that was started with it.
fn resident(words: &[OsString]) -> Result<(u64, u64)> {
    let mut launched = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", words[0].to_string_lossy()))?;
    let mut line = String::new();
    if let Some(stdout) = &mut launched.stdout {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let measured = line
        .trim()
        .parse()
        .context("the program did not say its process id")
        .and_then(|process| Ok((proportional_share(process)?, tree_share(launched.id())?)));
    // Its input ends here, and so does it.
    drop(launched.stdin.take());
    launched.wait()?;
    measured
}

/// `Pss` of a process, in bytes: shared pages count by their share, so that sums over processes are right.
pub fn proportional_share(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss in smaps_rollup")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().context("Pss is not a number")?;
    Ok(kibibytes * 1024)
}

/// The same, summed over a process and all its descendants.
fn tree_share(root: u32) -> Result<u64> {
    let mut total = proportional_share(root)?;
    for process in descendants(root) {
        total += proportional_share(process)?;
    }
    Ok(total)
}
