//! Other tools that see what a program does, beside ours, on inputs that are small enough for them.

use crate::place::{Place, Run};
use crate::workload::{Command, Workload, installed};
use anyhow::{Context, Result};
use examples::recorder::Recorder;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// What the filter of the command line is compared with.
pub const NAME: &str = "peers";
/// A peer that takes longer is stopped.
pub const LIMIT_SECONDS: u32 = 20;
/// Each is run so often.
const ROUNDS: usize = 3;

/// One tool on one input.
#[derive(Serialize, Deserialize)]
pub struct Compared {
    /// The workload.
    pub workload: String,
    /// The tool.
    pub peer: String,
    /// Times native: the median of the rounds.
    pub ratio: Option<f64>,
    /// Why there is no ratio.
    pub failure: Option<String>,
}

/// All that was compared.
#[derive(Serialize, Deserialize)]
pub struct Peers {
    /// Each tool on each input.
    pub compared: Vec<Compared>,
    /// Tools that are not here, and why.
    pub skipped: Vec<String>,
}

/// A tool.
struct Peer {
    name: &'static str,
    program: &'static str,
    package: &'static str,
    /// Its command line before the program's.
    words: &'static [&'static str],
    /// Why it cannot work here.
    hindrance: fn() -> Option<String>,
    /// What it writes when it has seen the program to its end, if its exit status does not say so.
    proof: Option<&'static str>,
}

const PEERS: [Peer; 5] = [
    Peer {
        name: "strace -f",
        program: "strace",
        package: "strace",
        words: &["strace", "-f", "-o", "/dev/null"],
        hindrance: nothing,
        proof: None,
    },
    Peer {
        name: "ltrace -f",
        program: "ltrace",
        package: "ltrace",
        words: &["ltrace", "-f", "-o", "/dev/null"],
        hindrance: nothing,
        proof: None,
    },
    Peer {
        name: "valgrind --tool=none",
        program: "valgrind",
        package: "valgrind",
        words: &["valgrind", "-q", "--tool=none", "--trace-children=yes"],
        hindrance: nothing,
        proof: None,
    },
    Peer {
        name: "gdb record full",
        program: "gdb",
        package: "gdb",
        // Recording begins behind the loader, all of which it cannot record, and ends before the last call.
        words: &[
            "gdb",
            "-q",
            "-batch",
            "-nx",
            "-ex",
            "set confirm off",
            "-ex",
            "set breakpoint pending on",
            "-ex",
            "set startup-with-shell off",
            "-ex",
            "set record full insn-number-max unlimited",
            "-ex",
            "break __libc_start_main",
            "-ex",
            "run",
            "-ex",
            "record full",
            "-ex",
            "continue",
            "--args",
        ],
        hindrance: nothing,
        proof: Some("_exit (status"),
    },
    Peer {
        name: "rr record",
        program: "rr",
        package: "rr",
        words: &["rr", "record", "-n"],
        hindrance: no_counters,
        proof: None,
    },
];

fn nothing() -> Option<String> {
    None
}

/// rr counts retired branches in hardware.
fn no_counters() -> Option<String> {
    const COUNTERS: &str = "/sys/bus/event_source/devices/cpu";
    (!Path::new(COUNTERS).exists())
        .then(|| format!("the machine has no hardware performance counters: {COUNTERS} does not exist"))
}

/// Inputs that take each of them seconds at most.
fn workloads() -> Vec<Workload> {
    vec![
        Workload::new("date", Command::Installed("date")),
        Workload::own("getppid, 10k times", "call_loop.c").operations(10_000),
        Workload::new("read 1 B, 10k times", Command::Own("micro.c", "", "read-byte".into()))
            .operations(10_000),
        Workload::new("malloc and free, 10k times", Command::Own("micro.c", "", "allocate".into()))
            .operations(10_000),
        Workload::new("10 threads", Command::Own("micro.c", "", "thread".into())).operations(10),
        Workload::new("bash, 20 small processes", Command::Installed("bash processes.sh")).prepared(
            |directory| {
                fs::write(
                    directory.join("processes.sh"),
                    "for i in {1..10}; do echo $i | cat; /bin/true; done\n",
                )
            },
        ),
        Workload::new("gzip, 256 kB", Command::Installed("gzip -6 -k -f text")).prepared(|directory| {
            let mut text = Vec::new();
            examples::inputs::write_text(&mut text, 256 << 10)?;
            fs::write(directory.join("text"), text)
        }),
    ]
}

/// Runs each peer that is here on each input, natively and with ours beside.
pub fn measure(recorder: &Recorder) -> Result<Peers> {
    let (mut present, mut skipped) = (Vec::new(), Vec::new());
    for peer in &PEERS {
        let absent = || format!("{} of Debian's package {} is not installed", peer.program, peer.package);
        // A hindrance first: installing it would not help.
        match (peer.hindrance)().or_else(|| installed(peer.program).is_none().then(absent)) {
            Some(reason) => skipped.push(format!("{}: {reason}", peer.name)),
            None => present.push(peer),
        }
    }
    let mut compared = Vec::new();
    for workload in workloads() {
        eprintln!("peers: {}...", workload.name);
        compared.extend(beside(&workload, &present, recorder).with_context(|| workload.name.clone())?);
    }
    Ok(Peers { compared, skipped })
}

fn beside(workload: &Workload, present: &[&Peer], recorder: &Recorder) -> Result<Vec<Compared>> {
    let place = Place::new(workload)?;
    let trace = place.trace();
    let mut ways = vec![("imitate", recorder.record(&place.words, &trace, None, false), None)];
    for peer in present {
        let limit: Vec<OsString> = ["timeout".into(), LIMIT_SECONDS.to_string().into()].into();
        let words: Vec<OsString> = peer.words.iter().map(OsString::from).collect();
        ways.push((peer.name, [limit, words, place.words.clone()].concat(), peer.proof));
    }
    place.run(&place.words)?;
    let mut native = Vec::new();
    let mut outcomes: Vec<Result<Vec<f64>>> = ways.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..ROUNDS {
        native.push(place.run(&place.words)?.seconds);
        for ((_, words, proof), outcome) in ways.iter().zip(&mut outcomes) {
            // What has failed once would fail again, and may take long.
            let Ok(seconds) = outcome else { continue };
            match run(&place, words, *proof) {
                Ok(run) => seconds.push(run.seconds),
                Err(error) => *outcome = Err(error),
            }
            if trace.exists() {
                place.remove_trace()?;
            }
        }
    }
    let compared = ways.iter().zip(outcomes).map(|((peer, ..), outcome)| {
        let ratio = |seconds: Vec<f64>| {
            crate::statistics::Summary::of_pairs(&seconds, &native, |peer, native| peer / native)
        };
        let (ratio, failure) = match outcome {
            Ok(seconds) => (ratio(seconds).map(|ratio| ratio.median), None),
            Err(error) => (None, Some(reason(&error))),
        };
        Compared { workload: workload.name.clone(), peer: (*peer).into(), ratio, failure }
    });
    Ok(compared.collect())
}

/// Runs a peer; an error if it has not seen the program to its end.
fn run(place: &Place, words: &[OsString], proof: Option<&str>) -> Result<Run> {
    let (run, output) = place.run_for_output(words)?;
    match proof {
        Some(proof) if !output.contains(proof) => {
            let mut lines = output.lines().filter(|line| !line.trim().is_empty());
            let unsupported = output.lines().find(|line| line.contains("does not support"));
            let said = unsupported.or_else(|| lines.next_back()).unwrap_or("it said nothing");
            anyhow::bail!("it stopped early:\n{said}")
        }
        _ => Ok(run),
    }
}

/// The last line of an error: what the tool said.
fn reason(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    if text.contains("exit status: 124") {
        return format!("more than {LIMIT_SECONDS} s");
    }
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed").trim().into()
}
