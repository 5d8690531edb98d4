//! What recording and replaying cost: each workload natively, recorded and replayed in turn, on this machine, now.
//!
//! Absolute times say little elsewhere, so everything is a ratio or a difference to the native run beside it. A
//! table goes to stdout as Markdown; the same as JSON and a plot go to the directory `benches` in Cargo's target
//! directory. Targets are printed beside the figures and never asserted: a benchmark does not fail.

mod allocator;
mod measure;
mod memory;
mod place;
mod report;
mod statistics;
mod workload;

use anyhow::{Context, Error, Result, ensure};
use clap::Parser;
use examples::recorder::Recorder;
use examples::settings::target_directory;
use report::Report;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures what recording and replaying cost.
#[derive(Parser)]
struct Options {
    /// Only workloads whose name contains this
    filter: Option<String>,
    /// How often each workload is run in each way, after one run that is not counted
    #[arg(short, long, default_value_t = 5)]
    repetitions: usize,
    /// The `imitate` to measure [default: the release build beside this program]
    #[arg(long)]
    tool: Option<PathBuf>,
    /// Also run each workload under `strace -f`
    #[arg(long)]
    peers: bool,
    /// Where the JSON file and the plot go [default: target/benches]
    #[arg(short, long)]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(failures) if failures.is_empty() => ExitCode::SUCCESS,
        Ok(failures) => {
            failures.iter().for_each(|failure| eprintln!("not measured: {failure:#}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and reports; returns why single workloads could not be measured.
fn run(options: Options) -> Result<Vec<Error>> {
    ensure!(options.repetitions > 0, "--repetitions must be at least 1");
    let tool = match options.tool {
        Some(tool) => tool,
        None => target_directory()?.join("release/imitate"),
    };
    ensure!(
        tool.is_file(),
        "{} does not exist: run `cargo build --release -p preload -p replayer` first",
        tool.display()
    );
    let recorder = Recorder { tool };
    let wanted = |name: &str| options.filter.as_deref().is_none_or(|filter| name.contains(filter));
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for workload in workload::table().iter().filter(|workload| wanted(workload.name)) {
        eprintln!("{}...", workload.name);
        match measure::measure(workload, &recorder, options.repetitions, options.peers) {
            Ok(result) => {
                eprintln!("{}", report::summary(&result));
                results.push(result);
            }
            Err(error) => failures.push(error.context(workload.name)),
        }
    }
    let memory = wanted(memory::NAME).then(|| memory::measure(&recorder)).transpose();
    let memory = memory.unwrap_or_else(|error| {
        failures.push(error.context(memory::NAME));
        None
    });
    let library = target_directory()?.join("release/examples/liballocator.so");
    let allocator = wanted(allocator::NAME).then(|| allocator::measure(&library, options.repetitions));
    let allocator = allocator.unwrap_or_else(|| Ok(Vec::new())).unwrap_or_else(|error| {
        failures.push(error.context(allocator::NAME));
        Vec::new()
    });
    let report = Report { workloads: results, memory, allocator };
    ensure!(!report.is_empty() || !failures.is_empty(), "no workload has that in its name");
    print!("{}", report.markdown());
    let output = match options.output {
        Some(output) => output,
        None => target_directory()?.join("benches"),
    };
    fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
    report.write_json(&output.join("results.json"))?;
    if !report.workloads.is_empty() {
        report::plot::write(&output.join("results.svg"), &report.workloads)?;
    }
    eprintln!("results.json and results.svg are in {}", output.display());
    Ok(failures)
}
