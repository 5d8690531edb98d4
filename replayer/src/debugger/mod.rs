//! `imitate replay --gdb`.

use crate::analysis::Recording;
use crate::arguments::Check;
use crate::place::Place;
use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use kmod_shim::arch::native::frame::Frame;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::mem::offset_of;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use tracer_core::session::debugger::{Debugger, STATE_CODE};
use tracer_core::session::{self, Control, Slot};
use tracer_core::trace::manifest::Manifest;
use tracer_core::trace::reader::{Body, Event, Item};

/// What gdb runs first, see there.
const SESSION: &str = concat!(
    include_str!("session/replays.py"),
    include_str!("session/position.py"),
    include_str!("session/backwards.py"),
    include_str!("session/commands.py"),
    include_str!("session/start.py"),
);

/// Becomes gdb on a replay of the trace in `directory`, at an event or at main.
pub fn debug(
    directory: &Path,
    check: Check,
    place: Option<Place>,
    arguments: &[OsString],
) -> Result<Infallible> {
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
        .args(arguments)
        .args(["-ex", "python import os; exec(os.environ['IMITATE_GDB_SESSION'])"])
        .arg(first.executable.as_path())
        .env("IMITATE_GDB_SESSION", SESSION)
        .env(
            "IMITATE_GDB_FACTS",
            facts(&own, directory, &manifest, &check, place, arguments, &stops(directory)?).to_string(),
        )
        .env("IMITATE_GDB_WRAPPER", shell_line(&wrapper))
        // gdb gives the wrapper's line to this shell, which has to understand the quoting.
        .env("SHELL", "/bin/sh")
        .exec();
    Err(error).context("cannot run gdb")
}

/// Where recorded threads were stopped between two instructions. The library changes the code there.
fn stops(directory: &Path) -> Result<BTreeSet<u64>> {
    let recording = Recording::open(directory)?;
    let mut stops = BTreeSet::new();
    for stream in recording.streams() {
        for event in recording.events(stream).into_iter().flatten() {
            // What is damaged will be found by the replay.
            let Ok(Event { body: Body::Stop { items } | Body::Signal { items }, .. }) = event else {
                continue;
            };
            stops.extend(items.iter().filter_map(|item| match item {
                Item::State { address, .. } => Some(address),
                _ => None,
            }));
        }
    }
    Ok(stops)
}

/// Where a structure has these fields, by their names.
macro_rules! offsets {
    ($structure:ty: $($field:ident)*) => {
        serde_json::json!({ $((stringify!($field)): offset_of!($structure, $field)),* })
    };
}

/// What the session has to know.
fn facts(
    own: &Path,
    directory: &Path,
    manifest: &Manifest,
    check: &str,
    place: Option<Place>,
    arguments: &[OsString],
    stops: &BTreeSet<u64>,
) -> serde_json::Value {
    let slots = session::CONTROL_ADDRESS + offset_of!(Control, slots);
    serde_json::json!({
        "tool": own,
        "directory": directory,
        "check": check,
        "place": place,
        "waits": arguments.iter().any(|argument| argument.as_bytes().starts_with(b"--interpreter")),
        "order": manifest.order().name(),
        "stops": stops,
        "state_code": STATE_CODE,
        "debugger": session::CONTROL_ADDRESS + offset_of!(Control, debugger),
        "fields": offsets!(Debugger: goal number compares wants_state state_length state is_silent answer at_stream at_event resume released
            answered error hits exhausted last change passage dying frame_offset),
        "frame": offsets!(Frame: rip rsp rbp rbx r12 r13 r14 r15 rdi rsi rdx),
        "slots": slots,
        "slot_count": session::SLOTS,
        "slot_size": size_of::<Slot>(),
        "slot_fields": offsets!(Slot: state stream process thread position),
    })
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
