//! `imitate replay --gdb`.

use crate::arguments::Check;
use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use tracer_core::trace::manifest::Manifest;

/// What gdb runs first, see there.
const SESSION: &str = include_str!("session.py");

/// Becomes gdb on a replay of the trace in `directory`.
pub fn debug(directory: &Path, check: Check) -> Result<Infallible> {
    let manifest = Manifest::load(directory)?;
    let first = manifest.processes.first().with_context(|| {
        format!("{}: nothing can be debugged, because no program was recorded", directory.display())
    })?;
    let gdb = which::which("gdb").map_err(|_| {
        anyhow!("gdb was not found in PATH: install it (apt-get install gdb) for `replay --gdb`")
    })?;
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let check = check.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let wrapper =
        [own.as_os_str(), "replay-exec".as_ref(), "--check".as_ref(), check.as_ref(), directory.as_os_str()];
    let error = Command::new(gdb)
        .arg("-quiet")
        .args(["-ex", "python import os; exec(os.environ['IMITATE_GDB_SESSION'])"])
        .arg(first.executable.as_path())
        .env("IMITATE_GDB_SESSION", SESSION)
        .env("IMITATE_GDB_WRAPPER", shell_line(&wrapper))
        // gdb gives the wrapper's line to this shell, which has to understand the quoting.
        .env("SHELL", "/bin/sh")
        .exec();
    Err(error).context("cannot run gdb")
}

/// A line that a POSIX shell splits into exactly these words.
fn shell_line(words: &[&OsStr]) -> OsString {
    let mut line = Vec::new();
    for word in words {
        line.extend_from_slice(if line.is_empty() { b"'" } else { b" '" });
        for &byte in word.as_bytes() {
            match byte {
                b'\'' => line.extend_from_slice(br"'\''"),
                byte => line.push(byte),
            }
        }
        line.push(b'\'');
    }
    OsString::from_vec(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gives_back_every_word() {
        let words = ["plain", "two words", "it's", "$HOME `x` \"y\" \\", "", "*"].map(OsStr::new);
        let mut script = OsString::from("printf '%s\\n' ");
        script.push(shell_line(&words));
        let output = Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
        let lines: Vec<_> = output.stdout.split(|&byte| byte == b'\n').map(OsStr::from_bytes).collect();
        assert_eq!(lines[..words.len()], words);
    }
}
