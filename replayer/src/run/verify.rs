//! `imitate verify`: record once, replay many times, compare.

use super::{chaos, unseen};
use crate::arguments::{OrderName, RecordingOptions, Verify};
use crate::status::{self, Ending};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use indicatif::{HumanBytes, ProgressBar};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tracer_core::{message, tell};

/// Carries it out; true if every replay was identical. One line on stdout tells, the differences are on stderr.
pub fn verify(options: &Verify) -> Result<bool> {
    let place = tempfile::Builder::new()
        .prefix("imitate-verify-")
        .tempdir()
        .context("cannot make a temporary directory for the trace")?;
    let trace = place.path().join("trace");
    let mut recorded = record(options, &trace)?;
    let own_lines;
    (recorded.stderr, own_lines) = apart(&recorded.stderr);
    message::write(own_lines);
    if options.options.order == OrderName::Sync {
        unseen::tell_of(&trace);
    }
    for path in &options.delete {
        delete(path)?;
    }
    let differences = replay_all(options, &trace, &recorded)?;
    report(&differences);
    println!("{}", summary(options, &recorded, differences.len()));
    if options.keep || !differences.is_empty() {
        let kept = place.keep().join("trace");
        tell!("the trace is kept in {}", kept.display());
    }
    Ok(differences.is_empty())
}

/// Replays tend to differ in the same way: the first is told in full, of the others one line.
fn report(differences: &[(u32, String)]) {
    for (place, (number, difference)) in differences.iter().enumerate() {
        let told = if place == 0 { difference } else { difference.lines().next().unwrap_or_default() };
        tell!("replay {number}: {told}");
    }
}

fn summary(options: &Verify, recorded: &Output, differing: usize) -> String {
    let program = options.program.command[0].to_string_lossy();
    let identical = options.replays as usize - differing;
    let output = HumanBytes((recorded.stdout.len() + recorded.stderr.len()) as u64);
    let ending = Ending::of(recorded.status);
    format!("{program}: {identical} of {} replays identical ({ending}, {output} of output)", options.replays)
}

fn own(subcommand: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program's own path")?);
    command.arg(subcommand);
    Ok(command)
}

fn record(options: &Verify, trace: &Path) -> Result<Output> {
    let RecordingOptions { check, copy_files, compression, order, chaos, ref cpu, cpu_strict } =
        options.options;
    let mut command = own("record")?;
    command.arg("--output").arg(trace);
    command.arg("--check").arg(word(check)).arg("--copy-files").arg(word(copy_files));
    command.arg("--order").arg(word(order));
    command.arg("--compression").arg(compression.to_string());
    if let Some(cpu) = cpu {
        command.arg(format!("--cpu={}", cpu.text));
    }
    if cpu_strict {
        command.arg("--cpu-strict");
    }
    let seed = chaos::seed(chaos);
    chaos::tell(seed);
    if let Some(seed) = seed {
        command.arg(format!("--chaos={seed}"));
    }
    if seed.is_some() || order == OrderName::Sync {
        // `verify` has it said once, by itself.
        command.arg("--quiet");
    }
    command.arg("--").args(&options.program.command);
    let output = command.stdin(Stdio::inherit()).output().context("cannot run `imitate record`")?;
    // A program that was not found has no trace; `record` has told why.
    if !trace.is_dir() {
        bail!("nothing was recorded: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(output)
}

/// The lines of the program, and those that the library has written among them: a recording's are about what could not be
/// recorded, a replay's about what is missing.
fn apart(stderr: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (own, others): (Vec<_>, Vec<_>) =
        stderr.split_inclusive(|byte| *byte == b'\n').partition(|line| line.starts_with(b"imitate: "));
    (others.concat(), own.concat())
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn delete(path: &Path) -> Result<()> {
    let metadata = path.symlink_metadata().with_context(|| format!("cannot delete {}", path.display()))?;
    if metadata.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
        .with_context(|| format!("cannot delete {}", path.display()))
}

/// The numbers of the replays that differ, rising, and how.
fn replay_all(options: &Verify, trace: &Path, recorded: &Output) -> Result<Vec<(u32, String)>> {
    let started = AtomicU32::new(0);
    let differences = Mutex::new(Vec::new());
    let bar = ProgressBar::new(options.replays.into());
    let work = || -> Result<()> {
        loop {
            let number = started.fetch_add(1, Ordering::Relaxed) + 1;
            if number > options.replays {
                return Ok(());
            }
            let mut command = own("replay")?;
            command.args([OsStr::new("--quiet"), "--check".as_ref(), word(options.options.check).as_ref()]);
            let replayed =
                command.arg(trace).stdin(Stdio::null()).output().context("cannot run `imitate replay`")?;
            if let Some(difference) = difference(recorded, &replayed) {
                differences
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner())
                    .push((number, difference));
            }
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    bar.finish_and_clear();
    let mut differences = differences.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    differences.sort();
    Ok(differences)
}

/// What is not the same, `None` if all is. What the library has written is not among what was recorded.
fn difference(recorded: &Output, replayed: &Output) -> Option<String> {
    let (one, other) = (Ending::of(recorded.status), Ending::of(replayed.status));
    let what = if one != other {
        format!("recorded {one}, replayed {other}")
    } else if let Some(place) = first_difference(&recorded.stdout, &replayed.stdout) {
        format!("stdout differs from byte {place} on")
    } else if let Some(place) = first_difference(&recorded.stderr, &apart(&replayed.stderr).0) {
        format!("stderr differs from byte {place} on")
    } else {
        return None;
    };
    // What the replay itself has to say comes after what the program wrote.
    let said = replayed.stderr.strip_prefix(&*recorded.stderr).unwrap_or(&replayed.stderr);
    let said = String::from_utf8_lossy(said);
    let failed = matches!(other, Ending::Exited(status::FAILED | status::FAILED_INSTEAD_OF_125));
    Some(if failed && one != other { format!("{what}\n{}", said.trim_end()) } else { what })
}

fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let common = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    (common < one.len().max(other.len())).then_some(common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found_where_they_begin() {
        assert_eq!(first_difference(b"", b""), None);
        assert_eq!(first_difference(b"same", b"same"), None);
        assert_eq!(first_difference(b"same", b"sama"), Some(3));
        assert_eq!(first_difference(b"same", b"same!"), Some(4));
        assert_eq!(first_difference(b"same", b""), Some(0));
    }
}
