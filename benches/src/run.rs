//! The usual run: all workloads, and what else is measured.

use crate::machine::Machine;
use crate::measure::{self, Rounds};
use crate::report::{self, Report};
use crate::{Common, allocator, log_append, memory, peers, workload};
use anyhow::{Error, Result, ensure};
use clap::Args;
use examples::settings::target_directory;

/// Rounds of the whole and of `--quick`.
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 3;

/// What is measured, and how often.
#[derive(Args)]
pub struct Options {
    /// Only workloads whose name contains this, and those of the allocator, memory, log append, peers
    filter: Option<String>,
    /// How often each workload is run in each way, after one run that is not counted; six times as often if it is over in 0.1
    /// s, three times at most if it takes more than 2 s [default: 5, with --quick 3]
    #[arg(short, long)]
    repetitions: Option<usize>,
    /// Few workloads, a quarter of the operations, no more rounds of short ones
    #[arg(long)]
    quick: bool,
    /// Also run small inputs under strace, ltrace, valgrind, gdb's record full, and rr where it can run
    #[arg(long)]
    peers: bool,
}

/// What went wrong beside what was measured.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    /// The figures, or nothing of them and a note why.
    fn or_none<T>(&mut self, name: &str, measured: Result<T>) -> Option<T> {
        let note = |error: Error| self.0.push(format!("{:#}", error.context(name.to_owned())));
        measured.map_err(note).ok()
    }
}

/// Measures and reports; false if something that is installed could not be measured.
pub fn run(options: &Options, common: &Common) -> Result<bool> {
    let usual = options.repetitions.unwrap_or(if options.quick { QUICK_ROUNDS } else { ROUNDS });
    ensure!(usual > 0, "--repetitions must be at least 1");
    let rounds = Rounds { usual, few: options.quick };
    let recorder = common.recorder()?;
    let machine = Machine::look(&recorder.tool)?;
    machine.warning().iter().for_each(|warning| eprintln!("{warning}"));
    let wanted = |name: &str| options.filter.as_deref().is_none_or(|filter| name.contains(filter));
    let (mut workloads, mut skipped, mut failures) = (Vec::new(), Vec::new(), Failures::default());
    let table = workload::table().into_iter();
    for workload in table.filter(|row| wanted(&row.name) && (row.quick || !options.quick)) {
        if let Some((program, package)) = workload.missing() {
            let reason =
                format!("{}: {program} of Debian's package {package} is not installed", workload.name);
            eprintln!("{reason}");
            skipped.push(reason);
            continue;
        }
        let workload = if options.quick { workload.shortened() } else { workload };
        eprintln!("{}...", workload.name);
        let measured = measure::measure(&workload, &recorder, rounds);
        if let Some(measured) = failures.or_none(&workload.name, measured) {
            eprintln!("{}", report::summary(&measured));
            workloads.push(measured);
        }
    }
    let log = wanted(log_append::NAME).then(log_append::measure);
    let log = log.and_then(|log| failures.or_none(log_append::NAME, log)).unwrap_or_default();
    let memory = wanted(memory::NAME).then(|| memory::measure(&recorder));
    let memory = memory.and_then(|memory| failures.or_none(memory::NAME, memory));
    // Sixteen pairs of runs a round, which do not concern recordings in serial order.
    let allocator = (wanted(allocator::NAME) && !options.quick).then(|| {
        let library = target_directory()?.join("release/examples/liballocator.so");
        allocator::measure(&library, usual)
    });
    let allocator = allocator.and_then(|allocator| failures.or_none(allocator::NAME, allocator));
    let peers = options.peers.then(|| peers::measure(&recorder));
    let peers = peers.and_then(|peers| failures.or_none(peers::NAME, peers));
    let report = Report {
        machine,
        quick: options.quick,
        workloads,
        skipped,
        failed: failures.0,
        log,
        memory,
        allocator: allocator.unwrap_or_default(),
        peers,
    };
    let nothing = report.is_empty() && report.skipped.is_empty() && report.failed.is_empty();
    ensure!(!nothing, "no workload has that in its name");
    print!("{}", report.markdown());
    let output = common.output()?;
    report::write_json(&report, &output.join("results.json"))?;
    if !report.workloads.is_empty() {
        report::plot::write(&output.join("results.svg"), &report.workloads)?;
    }
    eprintln!("results.json and results.svg are in {}", output.display());
    report.failed.iter().for_each(|failure| eprintln!("not measured: {failure}"));
    Ok(report.failed.is_empty())
}
