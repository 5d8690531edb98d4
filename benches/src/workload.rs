//! The workloads, and what is hoped of each.

use examples::inputs;
use std::fs::{self, File};
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// One command to measure.
pub struct Workload {
    /// For the table and the filter.
    pub name: &'static str,
    /// What is run.
    pub command: Command,
    /// Makes the inputs, once, in the directory that all runs share.
    pub prepare: fn(&Path) -> Result<()>,
    /// What recording may cost at most, as the project's goal has it.
    pub target: Option<Target>,
    /// How large the trace may become, likewise.
    pub trace_target: Option<TraceTarget>,
}

/// What is run: arguments are separated by spaces.
pub enum Command {
    /// An installed program and its arguments.
    Installed(&'static str),
    /// An installed program, its arguments and the file (in the shared directory) that is its standard input.
    Fed(&'static str, &'static str),
    /// A file of `benches/programs`, and how many calls it makes.
    Loop(&'static str, u32),
}

/// A limit of what recording costs.
#[derive(Clone, Copy)]
pub enum Target {
    /// Times native.
    Ratio(f64),
    /// Milliseconds more than native.
    Milliseconds(f64),
    /// Nanoseconds more than native for each call of a [`Command::Loop`].
    NanosecondsPerCall(f64),
}

/// A limit of a trace's size.
#[derive(Clone, Copy)]
pub enum TraceTarget {
    /// Bytes.
    Bytes(u64),
    /// Percent of the bytes that system calls gave to the program.
    PercentOfReturned(f64),
}

/// What a replay may take at most, times native, whatever the workload.
pub const REPLAY_TARGET: f64 = 1.2;

const CALLS: u32 = 2_000_000;

/// All workloads.
pub fn table() -> Vec<Workload> {
    use Command::{Fed, Installed, Loop};
    let row =
        |name, command, prepare, target| Workload { name, command, prepare, target, trace_target: None };
    vec![
        row("date", Installed("date"), nothing, Some(Target::Milliseconds(6.0))),
        row(
            "gzip -6, 100 MB",
            Installed("gzip -6 -k -f text"),
            |directory| write(directory, "text", 100 << 20),
            Some(Target::Ratio(1.03)),
        ),
        Workload {
            trace_target: Some(TraceTarget::Bytes(1 << 20)),
            ..row(
                "sha256sum, 1 GB",
                Installed("sha256sum large"),
                |directory| write(directory, "large", 1 << 30),
                Some(Target::Ratio(1.10)),
            )
        },
        row(
            "dd bs=512 count=200k",
            Installed("dd if=/dev/urandom of=copy bs=512 count=200k status=none"),
            nothing,
            Some(Target::Ratio(1.35)),
        ),
        row(
            "dd bs=64K, 100 MB",
            Installed("dd if=/dev/urandom of=copy bs=64K count=1600 status=none"),
            nothing,
            Some(Target::Ratio(1.2)),
        ),
        row(
            "sqlite3, 100k inserts in one transaction",
            Fed("sqlite3 database", "transaction.sql"),
            |directory| inserts(directory, "transaction.sql", "begin;", "commit;"),
            Some(Target::Ratio(1.15)),
        ),
        // A transaction each; without the journal, or it would measure the disk.
        row(
            "sqlite3, 100k transactions",
            Fed("sqlite3 database", "autocommit.sql"),
            |directory| {
                inserts(directory, "autocommit.sql", "pragma journal_mode=off; pragma synchronous=off;", "")
            },
            None,
        ),
        row(
            "gcc -O2 -c, 2000 lines",
            Installed("gcc -O2 -c generated.c"),
            inputs::generated_code,
            Some(Target::Ratio(1.15)),
        ),
        row(
            "clock_gettime loop",
            Loop("clock_loop.c", CALLS),
            nothing,
            Some(Target::NanosecondsPerCall(25.0)),
        ),
        row("getppid loop", Loop("call_loop.c", CALLS), nothing, Some(Target::NanosecondsPerCall(80.0))),
        Workload {
            trace_target: Some(TraceTarget::PercentOfReturned(15.0)),
            ..row("ls -lR /usr", Installed("ls -lR /usr"), nothing, None)
        },
        row("bash pipeline", Installed("bash everyday.sh"), inputs::scripts, None),
        row("python3 script", Installed("/usr/bin/python3 everyday.py"), inputs::scripts, None),
    ]
}

fn nothing(_: &Path) -> Result<()> {
    Ok(())
}

fn write(directory: &Path, name: &str, size: usize) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(directory.join(name))?);
    inputs::write_text(&mut file, size)?;
    file.flush()
}

fn inserts(directory: &Path, name: &str, before: &str, after: &str) -> Result<()> {
    let mut script = format!("drop table if exists numbers; create table numbers (id, text); {before}\n");
    for id in 0..100_000 {
        script += &format!("insert into numbers values ({id}, 'number {id} as text');\n");
    }
    script += after;
    script += "\nselect count(*), sum(id) from numbers;\n";
    fs::write(directory.join(name), script)
}
