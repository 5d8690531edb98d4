//! Where and when was measured.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// A machine at the start of a run.
#[derive(Clone, Serialize, Deserialize)]
pub struct Machine {
    /// As the processor says.
    pub processor: String,
    /// Logical processors that this program may use.
    pub processors: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The C library's name and version.
    pub libc: String,
    /// When the run began, in UTC.
    pub date: String,
    /// The commit of the sources, with "+" if they have changed since.
    pub commit: String,
    /// What `imitate --version` says.
    pub imitate: String,
    /// Runnable threads on average over the last minute.
    pub load_average: f64,
    /// How much of the processors others took (or the hypervisor kept) while nothing of ours ran, in percent.
    pub busy_percent: f64,
}

/// What others may take before figures are called noisy.
const QUIET_PERCENT: f64 = 5.0;
/// Long enough for some periods of the scheduler and of the kernel's accounting.
const LOOK: Duration = Duration::from_secs(1);

impl Machine {
    /// Looks at this one; takes a second.
    pub fn look(tool: &Path) -> Result<Machine> {
        let commit = output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty=+"]);
        Ok(Machine {
            processor: processor(),
            processors: thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().into(),
            libc: output("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_else(|| "unknown".into()),
            date: output("date", &["--utc", "+%Y-%m-%d %H:%M"]).context("date prints nothing")?,
            commit: commit.unwrap_or_else(|| "unknown".into()),
            imitate: output(tool, &["--version"])
                .with_context(|| format!("{} --version prints nothing", tool.display()))?,
            load_average: load_average()?,
            busy_percent: busy_percent()?,
        })
    }

    /// A line about it.
    pub fn line(&self) -> String {
        format!(
            "{} processors: {}, Linux {}, {}; {} at commit {}; {} UTC; load average {:.2}.",
            self.processors,
            self.processor,
            self.kernel,
            self.libc,
            self.imitate,
            self.commit,
            self.date,
            self.load_average
        )
    }

    /// A line of warning if others use it, too.
    pub fn warning(&self) -> Option<String> {
        (self.busy_percent > QUIET_PERCENT).then(|| {
            format!(
                "**Busy: others took {:.0} % of the processors before the start. Figures are noisy.**",
                self.busy_percent
            )
        })
    }

    /// What makes its figures another thing than those of `other`.
    pub fn differences(&self, other: &Machine) -> Vec<String> {
        let each = [
            ("processor", self.processor.clone(), other.processor.clone()),
            ("number of processors", self.processors.to_string(), other.processors.to_string()),
            ("kernel", self.kernel.clone(), other.kernel.clone()),
            ("C library", self.libc.clone(), other.libc.clone()),
        ];
        let different = each.into_iter().filter(|(_, first, second)| first != second);
        different.map(|(what, first, second)| format!("{what}: {first}, {second}")).collect()
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// The first line that a program prints; nothing if it fails.
fn output(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program.as_ref()).args(arguments).output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    output.status.success().then_some(line)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line =
            text.lines().find(|line| line.split(':').next().is_some_and(|left| left.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let named = field("model name").filter(|name| !name.is_empty() && name != "unknown");
    named.unwrap_or_else(|| {
        let number = |name| field(name).unwrap_or_else(|| "unknown".into());
        format!("{} family {} model {}", number("vendor_id"), number("cpu family"), number("model"))
    })
}

fn load_average() -> Result<f64> {
    let text = read("/proc/loadavg")?;
    let first = text.split(' ').next().and_then(|first| first.parse().ok());
    first.context("/proc/loadavg has no number")
}

fn busy_percent() -> Result<f64> {
    let before = times(&read("/proc/stat")?)?;
    thread::sleep(LOOK);
    let after = times(&read("/proc/stat")?)?;
    let (all, idle) = (after.0 - before.0, after.1 - before.1);
    Ok(if all == 0 { 0.0 } else { 100.0 * (all - idle.min(all)) as f64 / all as f64 })
}

/// All and idle time of all processors: `cpu user nice system idle iowait irq softirq steal guest guest_nice`.
fn times(stat: &str) -> Result<(u64, u64)> {
    let line =
        stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("/proc/stat has no cpu")?;
    let times: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let idle = times.iter().skip(3).take(2).sum();
    // A guest's time is in the user's, too.
    Ok((times.iter().take(8).sum(), idle))
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn waiting_for_a_disk_is_idle_and_guests_are_not_counted_twice() {
        assert_eq!(times("cpu  1 2 3 10 20 4 5 6 100 200\ncpu0 1\n").unwrap(), (51, 30));
        assert!(times("intr 1\n").is_err());
    }
}
