//! What is told when a replay met something other than what was recorded.

mod backtrace;
pub mod loaded;
mod process;

use crate::place::Place;
use backtrace::backtrace;
pub use backtrace::{Registers, Stacks};
pub use process::Mapping;
use process::Process;
use std::io::{Result, Write};
use tracer_core::session::Report;

/// Places of rbp, rsp and rip in [`Report::registers`].
const FRAME: usize = 8;
const STACK: usize = 13;
const INSTRUCTION: usize = 14;

/// The event that a report of [`write_report`] is about.
pub fn place(report: &str) -> Option<Place> {
    let line = report.lines().find_map(|line| line.strip_prefix("  stream "))?;
    let (stream, rest) = line.split_once(' ')?;
    let (_, event) = rest.split_once("event ")?;
    Some(Place { stream: stream.parse().ok()?, event: event.parse().ok()? })
}

/// Writes what the user sees of `report`, while the thread that made it stands still.
pub fn write_report(report: &Report, out: &mut dyn Write) -> Result<()> {
    let Report { stream, process, thread, event, registers, .. } = *report;
    writeln!(out, "imitate: the replay diverged from the recording")?;
    writeln!(out, "  stream {stream} (process {process}, thread {thread} of the replay), event {event}")?;
    let text = &report.text[..(report.text_length as usize).min(report.text.len())];
    for line in String::from_utf8_lossy(text).lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "  backtrace:")?;
    let registers =
        Registers { instruction: registers[INSTRUCTION], stack: registers[STACK], frame: registers[FRAME] };
    match Process::open(process) {
        Ok(process) => {
            for line in backtrace(&process, registers) {
                writeln!(out, "    {line}")?;
            }
        }
        Err(error) => writeln!(out, "    none: {error:#}")?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_which_event_it_is_about() {
        let place = place(
            "imitate: it diverged\n  stream 3 (process 7, thread 8 of the replay), event 41\n  expected: x\n",
        );
        assert_eq!(place, Some(Place { stream: 3, event: 41 }));
        assert_eq!(super::place("imitate: something else\n"), None);
    }
}
