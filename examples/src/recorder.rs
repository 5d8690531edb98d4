//! How the tool is called: the only place that knows.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The `imitate` under test.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Its executable.
    pub tool: PathBuf,
}

impl Recorder {
    /// The command that runs `words` and records them in the directory `trace`, with chaos if there is a seed for it, or with
    /// sync order.
    pub fn record(
        &self,
        words: &[OsString],
        trace: &Path,
        chaos: Option<u64>,
        in_parallel: bool,
    ) -> Vec<OsString> {
        let mut command = self.command("record", &[]);
        if let Some(seed) = chaos {
            // Quiet, since it would name the seed on the program's standard error.
            command.extend([format!("--chaos={seed}").into(), "--quiet".into()]);
        }
        if in_parallel {
            command.extend(["--order=sync".into(), "--quiet".into()]);
        }
        command.push("-o".into());
        command.extend([trace.into(), "--".into()]);
        command.extend_from_slice(words);
        command
    }

    /// The command that replays `trace`.
    pub fn replay(&self, trace: &Path) -> Vec<OsString> {
        let mut command = self.command("replay", &["--quiet"]);
        command.push(trace.into());
        command
    }

    fn command(&self, subcommand: &str, options: &[&str]) -> Vec<OsString> {
        let mut words = vec![self.tool.clone().into_os_string(), subcommand.into()];
        words.extend(options.iter().map(OsString::from));
        words
    }
}
