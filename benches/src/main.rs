//! What recording and replaying cost: each workload natively, recorded and replayed in turn, on this machine, now.
//!
//! Absolute times say little elsewhere, so everything is a ratio or a difference to the native run beside it. A
//! table goes to stdout as Markdown; the same as JSON and a plot go to the directory `benches` in Cargo's target
//! directory. Targets are printed beside the figures and never asserted: a benchmark does not fail. `compare` says whether
//! one run is slower than another, and `scaling` how cost grows.

mod allocator;
mod builtin;
mod compare;
mod log_append;
mod machine;
mod measure;
mod memory;
mod peers;
mod place;
mod report;
mod run;
mod scaling;
mod service;
mod statistics;
mod workload;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use compare::{THRESHOLD_PERCENT, Verdict};
use examples::recorder::Recorder;
use examples::settings::target_directory;
use machine::Machine;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measures what recording and replaying cost
///
/// Without a subcommand: runs each workload natively, recorded and replayed in turn, and prints a table as Markdown. The
/// whole should take less than 25 minutes on two processors, --quick less than 3. The machine should do nothing else meanwhile: what it does before
/// the start is looked at, and said in the table.
#[derive(Parser)]
#[command(name = "benches", args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    options: run::Options,
    #[command(flatten)]
    common: Common,
}

/// What measuring needs.
#[derive(Args)]
struct Common {
    /// The `imitate` to measure [default: the release build beside this program]
    #[arg(long, value_name = "PROGRAM")]
    tool: Option<PathBuf>,
    /// Where the JSON files and the plot go [default: benches in the target directory]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Say which rows of a later run are slower or faster than those of an earlier one
    ///
    /// A row has changed if the median of its ratio to native has by more than the threshold, and the spreads of both (from the
    /// tenth to the ninetieth of a hundred measurements; of fewer than ten, all) do not touch. Exit status: 0 if no
    /// row is slower, 1 if one is, 2 if the files cannot be compared.
    Compare {
        /// results.json of the earlier run
        first: PathBuf,
        /// results.json of the later run
        second: PathBuf,
        /// Percent that a row may grow
        #[arg(long, value_name = "PERCENT", default_value_t = THRESHOLD_PERCENT)]
        threshold: f64,
    },
    /// Measure how cost grows: with threads, calls, processes, and the length of a recording
    Scaling {
        /// Only what has this in its name: threads, calls while computing, processes, length
        filter: Option<String>,
        /// How often each point is measured in each way
        #[arg(short, long, default_value_t = 3)]
        repetitions: usize,
        /// Seconds of the recordings whose memory and size are watched; 10,100,1000 is the whole proof
        #[arg(long, value_name = "SECONDS", value_delimiter = ',', default_value = "1,2,4")]
        lengths: Vec<u64>,
        #[command(flatten)]
        common: Common,
    },
    /// Be a workload
    #[command(hide = true)]
    Builtin {
        /// Which
        name: String,
    },
}

impl Common {
    fn recorder(&self) -> Result<Recorder> {
        let tool = match &self.tool {
            Some(tool) => tool.clone(),
            None => target_directory()?.join("release/imitate"),
        };
        ensure!(
            tool.is_file(),
            "{} does not exist: run `cargo build --release -p preload -p replayer` first",
            tool.display()
        );
        // Workloads run in directories of their own.
        let tool = tool.canonicalize().with_context(|| format!("cannot resolve {}", tool.display()))?;
        Ok(Recorder { tool })
    }

    /// The directory for results, which is made if need be.
    fn output(&self) -> Result<PathBuf> {
        let output = match &self.output {
            Some(output) => output.clone(),
            None => target_directory()?.join("benches"),
        };
        fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
        Ok(output)
    }
}

fn main() -> ExitCode {
    let CommandLine { action, options, common } = CommandLine::parse();
    let (done, failure) = match action {
        None => (run::run(&options, &common), 1),
        Some(Action::Compare { first, second, threshold }) => (compare_files(&first, &second, threshold), 2),
        Some(Action::Scaling { filter, repetitions, lengths, common }) => {
            let wanted = scaling::Wanted { filter, rounds: repetitions, lengths_seconds: lengths };
            (scaling(&common, &wanted), 1)
        }
        Some(Action::Builtin { name }) => (builtin::run(&name).map(|()| true), 1),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("benches: {error:#}");
            ExitCode::from(failure)
        }
    }
}

/// Prints the comparison; true if no row is slower.
fn compare_files(first: &Path, second: &Path, threshold: f64) -> Result<bool> {
    let comparison = compare::compare(&compare::read(first)?, &compare::read(second)?, threshold);
    ensure!(!comparison.is_empty(), "{} and {} have no row in common", first.display(), second.display());
    print!("{}", comparison.markdown());
    Ok(comparison.count(Verdict::Slower) == 0)
}

/// Measures and prints.
fn scaling(common: &Common, wanted: &scaling::Wanted) -> Result<bool> {
    ensure!(wanted.rounds > 0, "--repetitions must be at least 1");
    let recorder = common.recorder()?;
    let figures = scaling::measure(&recorder, Machine::look(&recorder.tool)?, wanted)?;
    print!("{}", figures.markdown());
    let output = common.output()?;
    report::write_json(&figures, &output.join("scaling.json"))?;
    eprintln!("scaling.json is in {}", output.display());
    Ok(true)
}
