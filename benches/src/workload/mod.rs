//! The workloads, and what is hoped of each.

mod databases;
mod inputs;
mod micro;
mod parallel;
mod programs;
mod servers;

use std::io::Result;
use std::path::{Path, PathBuf};
use tracer_core::session::Order;

/// One command to measure.
#[derive(Clone)]
pub struct Workload {
    /// For the table and the filter.
    pub name: String,
    /// What is run.
    pub command: Command,
    /// How many operations it makes: its last argument.
    pub operations: Option<u32>,
    /// Makes the inputs, once, in the directory that all runs share.
    pub prepare: fn(&Path) -> Result<()>,
    /// Programs, or files by their absolute path, that must be installed, and Debian's package of each.
    pub needs: Vec<(&'static str, &'static str)>,
    /// The orders in which it is recorded: each that applies to it.
    pub orders: Vec<Aim>,
    /// What recording in serial order may cost against a native run on one processor, if that is measured; infinite if
    /// nothing is hoped.
    pub one_processor_target: Option<f64>,
    /// How large the trace may become, as the project's goal has it.
    pub trace_target: Option<TraceTarget>,
    /// It is one of the few of `--quick`.
    pub quick: bool,
}

/// An order in which a workload is recorded.
#[derive(Clone, Copy)]
pub struct Aim {
    /// The order.
    pub order: Order,
    /// What recording may cost at most, as the project's goal has it.
    pub target: Option<Target>,
}

/// What is run: arguments are separated by spaces.
#[derive(Clone)]
pub enum Command {
    /// An installed program and its arguments.
    Installed(&'static str),
    /// An installed program, its arguments and the file (in the shared directory) that is its standard input.
    Fed(&'static str, &'static str),
    /// A file of `benches/programs`, the options to compile it with, and its arguments.
    Own(&'static str, &'static str, String),
    /// A Rust function of [`crate::builtin`].
    Builtin(&'static str),
    /// A server (what it is, as above) that stays until its client ends it, and the text for `bash -c` of a client. The
    /// client is not recorded; its time is what is measured, so that a ratio is one of throughputs.
    Served(Box<Command>, &'static str),
}

/// A limit of what recording costs.
#[derive(Clone, Copy)]
pub enum Target {
    /// Times native.
    Ratio(f64),
    /// Milliseconds more than native.
    Milliseconds(f64),
    /// Nanoseconds more than native for each of [`Workload::operations`].
    NanosecondsEach(f64),
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
/// `--quick` makes one of so many operations.
const QUICK_PART: u32 = 4;

/// All workloads.
pub fn table() -> Vec<Workload> {
    [programs::rows(), micro::rows(), parallel::rows(), servers::rows(), databases::rows()].concat()
}

impl Workload {
    /// A command that needs no inputs, recorded in serial order.
    pub fn new(name: impl Into<String>, command: Command) -> Workload {
        Workload {
            name: name.into(),
            command,
            operations: None,
            prepare: |_| Ok(()),
            needs: Vec::new(),
            orders: vec![Aim { order: Order::Serial, target: None }],
            one_processor_target: None,
            trace_target: None,
            quick: false,
        }
    }

    /// A file of `benches/programs` without arguments.
    pub fn own(name: impl Into<String>, source: &'static str) -> Workload {
        Workload::new(name, Command::Own(source, "", String::new()))
    }

    /// With inputs.
    pub fn prepared(self, prepare: fn(&Path) -> Result<()>) -> Workload {
        Workload { prepare, ..self }
    }

    /// Only where this program or file is.
    pub fn needs(mut self, program: &'static str, package: &'static str) -> Workload {
        self.needs.push((program, package));
        self
    }

    /// Recording in the order that was named last may cost this.
    pub fn within(mut self, target: Target) -> Workload {
        if let Some(aim) = self.orders.last_mut() {
            aim.target = Some(target);
        }
        self
    }

    /// Recorded in sync order, too.
    pub fn and_sync(mut self) -> Workload {
        self.orders.push(Aim { order: Order::Sync, target: None });
        self
    }

    /// Recorded in sync order only.
    pub fn in_sync(self) -> Workload {
        Workload { orders: vec![Aim { order: Order::Sync, target: None }], ..self }
    }

    /// Recording is compared with a native run on one processor, too.
    pub fn beside_one_processor(self) -> Workload {
        self.of_one_processor(f64::INFINITY)
    }

    /// Recording may cost this of a native run on one processor.
    pub fn of_one_processor(self, limit: f64) -> Workload {
        Workload { one_processor_target: Some(limit), ..self }
    }

    /// The trace may have this size.
    pub fn trace_within(self, target: TraceTarget) -> Workload {
        Workload { trace_target: Some(target), ..self }
    }

    /// It makes so many operations, which it is told by its last argument.
    pub fn operations(self, count: u32) -> Workload {
        Workload { operations: Some(count), ..self }
    }

    /// One of `--quick`.
    pub fn quick(self) -> Workload {
        Workload { quick: true, ..self }
    }

    /// As `--quick` has it.
    pub fn shortened(self) -> Workload {
        Workload { operations: self.operations.map(|count| count / QUICK_PART), ..self }
    }

    /// What has to be installed and is not, with Debian's name of its package.
    pub fn missing(&self) -> Option<(&'static str, &'static str)> {
        self.needs.iter().copied().find(|(program, _)| installed(program).is_none())
    }
}

/// Where a program is, or the file with that absolute path.
pub fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Joined to an absolute path, a directory does not count.
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
