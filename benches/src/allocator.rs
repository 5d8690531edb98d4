//! The allocator of sync order, preloaded by itself, against glibc's.

use crate::place::program;
use crate::statistics::Summary;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;

/// What the filter of the command line is compared with.
pub const NAME: &str = "allocator";
/// Times glibc's time for each operation, at most, where blocks are 16 to 1024 bytes.
pub const TIME_TARGET: f64 = 1.1;
/// Times glibc's most resident memory, at most.
pub const MEMORY_TARGET: f64 = 1.3;

/// Sorts of work in `allocations.c`.
const SORTS: [&str; 8] =
    ["pairs", "stacks", "small-churn", "wide-churn", "large-churn", "growth", "handed-over", "shifting"];
const THREADS: [u32; 2] = [1, 2];

/// One sort of work.
#[derive(Serialize, Deserialize)]
pub struct Compared {
    /// Its name in `allocations.c`.
    pub sort: String,
    /// Threads that do it at the same time.
    pub threads: u32,
    /// Nanoseconds of an operation with glibc's.
    pub glibc_nanoseconds: Summary,
    /// The time of an operation in ratio to glibc's, run by run.
    pub time_ratio: Summary,
    /// The same of the most memory that was resident.
    pub memory_ratio: Summary,
}

/// Does all sorts of work with both, in turn.
pub fn measure(library: &Path, repetitions: usize) -> Result<Vec<Compared>> {
    ensure!(
        library.is_file(),
        "{} does not exist: run `cargo build --release -p preload --example allocator` first",
        library.display()
    );
    let program = program("allocations.c")?;
    let mut all = Vec::new();
    for sort in SORTS {
        for threads in THREADS {
            let [mut glibc, mut ours] = [const { (Vec::new(), Vec::new()) }; 2];
            for _ in 0..repetitions {
                for (preloaded, (times, sizes)) in [(None, &mut glibc), (Some(library), &mut ours)] {
                    let (time, size) = run(&program, sort, threads, preloaded)
                        .with_context(|| format!("{sort} with {threads} threads"))?;
                    times.push(time);
                    sizes.push(size);
                }
            }
            let ratio = |ours: &[f64], glibc: &[f64]| {
                Summary::of_pairs(ours, glibc, |ours, glibc| ours / glibc).context("nothing was measured")
            };
            all.push(Compared {
                sort: sort.into(),
                threads,
                glibc_nanoseconds: Summary::of(&glibc.0).context("nothing was measured")?,
                time_ratio: ratio(&ours.0, &glibc.0)?,
                memory_ratio: ratio(&ours.1, &glibc.1)?,
            });
        }
    }
    Ok(all)
}

/// Nanoseconds of an operation, and the most KiB that were resident.
fn run(program: &Path, sort: &str, threads: u32, preloaded: Option<&Path>) -> Result<(f64, f64)> {
    let mut command = Command::new(program);
    command.arg(sort).arg(threads.to_string());
    if let Some(library) = preloaded {
        command.env("LD_PRELOAD", library);
    }
    let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(output.status.success(), "{}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(time)), Some(Ok(size))) => Ok((time, size)),
        _ => anyhow::bail!("{} printed {text:?}", program.display()),
    }
}
