//! A recording that goes on: the memory of the writer should stay, the trace should grow by as much each second.

use crate::measure::{counts, size};
use crate::memory::proportional_share;
use crate::place::Place;
use crate::report::bytes;
use crate::workload::{Command, Workload};
use anyhow::{Context, Result, ensure};
use examples::process_tree::descendants;
use examples::recorder::Recorder;
use serde::Serialize;
use std::fmt::Write;
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// What the filter of the command line is compared with.
pub const NAME: &str = "length";
/// When the recorder's memory is looked at, in parts of the length. Later, the end might come first.
const MOMENTS: [f64; 4] = [0.1, 0.4, 0.7, 0.9];

/// A recording of some length.
#[derive(Serialize)]
pub struct Long {
    /// How long the program ran.
    seconds: u64,
    /// Resident bytes (proportional share) of all of the recorder's own processes, at the moments.
    recorder_bytes: Vec<u64>,
    /// Those of the program.
    program_bytes: Vec<u64>,
    /// Size of the trace directory.
    trace_bytes: u64,
    /// Events in it.
    events: u64,
}

/// Records the same calls for each of these times.
pub fn measure(recorder: &Recorder, lengths_seconds: &[u64]) -> Result<Vec<Long>> {
    lengths_seconds.iter().map(|seconds| record(recorder, *seconds)).collect()
}

fn record(recorder: &Recorder, seconds: u64) -> Result<Long> {
    ensure!(seconds > 0, "a length of 0 s shows nothing");
    eprintln!("{NAME}: {seconds} s...");
    let place = Place::new(&Workload::new(NAME, Command::Own("steady.c", "", seconds.to_string())))?;
    let trace = place.trace();
    let program = &place.words[0];
    let started = Instant::now();
    let mut tool = place.start(&recorder.record(&place.words, &trace, None, false), Stdio::null())?;
    let (mut recorder_bytes, mut program_bytes) = (Vec::new(), Vec::new());
    for part in MOMENTS {
        let moment = Duration::from_secs_f64(seconds as f64 * part);
        // What is looked at is a moment of a recording, and nothing else happens then.
        thread::sleep(moment.saturating_sub(started.elapsed()));
        let (mut ours, mut its) = (proportional_share(tool.id())?, 0);
        for process in descendants(tool.id()) {
            let executable = fs::read_link(format!("/proc/{process}/exe"));
            let sum = if executable.is_ok_and(|path| path == *program) { &mut its } else { &mut ours };
            *sum += proportional_share(process)?;
        }
        recorder_bytes.push(ours);
        program_bytes.push(its);
    }
    let status = tool.wait()?;
    ensure!(status.success(), "the recording of {seconds} s failed: {status}");
    let (events, _) = counts(recorder, &trace).context("the trace")?;
    Ok(Long { seconds, recorder_bytes, program_bytes, trace_bytes: size(&trace)?, events })
}

/// As Markdown; empty if nothing was measured.
pub fn markdown(all: &[Long]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nMemory at ");
    text += &MOMENTS.map(|part| format!("{:.0} %", part * 100.0)).join(", ");
    text += " of the time; 1000 rounds of a read of 64 random bytes, a write, getppid and a sleep each second.\n\n";
    text +=
        "| seconds | the recorder's memory | the program's | trace | a second | events | bytes an event |\n";
    text += "|--:|--:|--:|--:|--:|--:|--:|\n";
    for long in all {
        let each = |sizes: &[u64]| sizes.iter().map(|size| bytes(*size)).collect::<Vec<_>>().join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.1} |",
            long.seconds,
            each(&long.recorder_bytes),
            each(&long.program_bytes),
            bytes(long.trace_bytes),
            bytes(long.trace_bytes / long.seconds),
            long.events,
            long.trace_bytes as f64 / long.events as f64,
        );
    }
    text
}
