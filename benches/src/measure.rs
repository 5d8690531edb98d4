//! Runs a workload natively, recorded and replayed, in turn.

use crate::place::Place;
use crate::statistics::Summary;
use crate::workload::{Command, Target, TraceTarget, Workload};
use anyhow::{Context, Result, ensure};
use examples::recorder::Recorder;
use serde::Serialize;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process;

/// The figures of one workload.
#[derive(Serialize)]
pub struct Measured {
    /// The workload's name.
    pub name: &'static str,
    /// Seconds of the runs without a recorder.
    pub native_seconds: Summary,
    /// Seconds of the recorded runs.
    pub recorded_seconds: Summary,
    /// Seconds of the replays.
    pub replayed_seconds: Summary,
    /// Recorded to native, run by run.
    pub recorded_ratio: Summary,
    /// Replayed to native, run by run.
    pub replayed_ratio: Summary,
    /// Recorded to native on one processor, if that was measured.
    pub one_processor_ratio: Option<Summary>,
    /// What that should be at most.
    pub one_processor_limit: Option<f64>,
    /// `strace -f` to native, one run, if it was asked for.
    pub strace_ratio: Option<Summary>,
    /// What recording cost in the unit of its target.
    pub cost: Option<Cost>,
    /// Size of the trace directory in bytes.
    pub trace_bytes: u64,
    /// Bytes that system calls gave to the program.
    pub returned_bytes: u64,
    /// The most that `trace_bytes` should be.
    pub trace_limit_bytes: Option<u64>,
}

/// What recording costs more than native, and should at most.
#[derive(Serialize)]
pub struct Cost {
    /// "times", "ms" or "ns a call".
    pub unit: &'static str,
    /// Measured.
    pub measured: Summary,
    /// Hoped for.
    pub limit: f64,
}

/// A run that is shorter than this is repeated [`MORE_ROUNDS`] times as often: its figures scatter more.
const SHORT_SECONDS: f64 = 0.1;
const MORE_ROUNDS: usize = 6;

/// Measures `workload` in `repetitions` rounds (more for a short one), after one native run that only warms the
/// caches.
pub fn measure(
    workload: &Workload,
    recorder: &Recorder,
    repetitions: usize,
    peers: bool,
) -> Result<Measured> {
    let place = Place::new(workload)?;
    let trace = place.trace();
    let record = recorder.record(&place.words, &trace, None, workload.in_parallel);
    let replay = recorder.replay(&trace);
    let strace: Vec<OsString> = ["strace", "-f", "-o", "/dev/null"].map(OsString::from).into();
    let strace = [strace, place.words.clone()].concat();
    let one_processor: Vec<OsString> = ["taskset", "-c", "0"].map(OsString::from).into();
    let one_processor = [one_processor, place.words.clone()].concat();
    let [mut native, mut alone, mut recorded, mut replayed, mut straced] = [const { Vec::new() }; 5];
    let (mut trace_bytes, mut returned_bytes) = (0, 0);
    let warming = place.time(&place.words).context("natively")?;
    let rounds = if warming < SHORT_SECONDS { repetitions * MORE_ROUNDS } else { repetitions };
    for round in 0..rounds {
        native.push(place.time(&place.words).context("natively")?);
        if workload.one_processor_target.is_some() {
            alone.push(place.time(&one_processor).context("on one processor")?);
        }
        recorded.push(place.time(&record).context("recorded")?);
        replayed.push(place.time_replay(&replay).context("replayed")?);
        // Once: some workloads take it minutes.
        if peers && round == 0 {
            straced.push(place.time(&strace).context("under strace")?);
        }
        if round == 0 {
            trace_bytes = size(&trace)?;
            returned_bytes = returned(recorder, &trace)?;
        }
        place.remove_trace()?;
    }
    let ratio = |seconds: &[f64]| Summary::of_pairs(seconds, &native, |seconds, native| seconds / native);
    let summary = |seconds: Option<Summary>| seconds.context("nothing was measured");
    Ok(Measured {
        name: workload.name,
        native_seconds: summary(Summary::of(&native))?,
        recorded_seconds: summary(Summary::of(&recorded))?,
        replayed_seconds: summary(Summary::of(&replayed))?,
        recorded_ratio: summary(ratio(&recorded))?,
        replayed_ratio: summary(ratio(&replayed))?,
        one_processor_ratio: Summary::of_pairs(&recorded, &alone, |recorded, alone| recorded / alone),
        one_processor_limit: workload.one_processor_target,
        strace_ratio: ratio(&straced),
        cost: workload.target.and_then(|target| cost(target, &workload.command, &native, &recorded)),
        trace_bytes,
        returned_bytes,
        trace_limit_bytes: workload.trace_target.map(|target| match target {
            TraceTarget::Bytes(bytes) => bytes,
            TraceTarget::PercentOfReturned(percent) => (returned_bytes as f64 * percent / 100.0) as u64,
        }),
    })
}

fn cost(target: Target, command: &Command, native: &[f64], recorded: &[f64]) -> Option<Cost> {
    let calls = match command {
        Command::Loop(_, calls) => f64::from(*calls),
        _ => 1.0,
    };
    let (unit, limit, measured) = match target {
        Target::Ratio(limit) => {
            ("times", limit, Summary::of_pairs(recorded, native, |recorded, native| recorded / native))
        }
        Target::Milliseconds(limit) => {
            ("ms", limit, Summary::of_pairs(recorded, native, |recorded, native| (recorded - native) * 1e3))
        }
        Target::NanosecondsPerCall(limit) => (
            "ns a call",
            limit,
            Summary::of_pairs(recorded, native, |recorded, native| (recorded - native) * 1e9 / calls),
        ),
    };
    Some(Cost { unit, measured: measured?, limit })
}

/// Bytes of all files below `directory`.
fn size(directory: &Path) -> Result<u64> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read the trace {}", directory.display()))?;
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Bytes that the recorded system calls gave to the program.
fn returned(recorder: &Recorder, trace: &Path) -> Result<u64> {
    let output = process::Command::new(&recorder.tool)
        .args(["stats", "--json"])
        .arg(trace)
        .output()
        .context("cannot run imitate stats")?;
    ensure!(
        output.status.success(),
        "imitate stats --json {}: {}\n{}",
        trace.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let stats: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("imitate stats --json prints no JSON")?;
    stats["total"]["returned_bytes"].as_u64().context("imitate stats --json has no total.returned_bytes")
}
