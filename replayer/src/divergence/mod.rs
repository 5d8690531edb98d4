//! What is told when a replay met something other than what was recorded.

mod backtrace;
pub mod loaded;
mod process;

use backtrace::{Registers, backtrace};
pub use process::Mapping;
use process::Process;
use std::io::{Result, Write};
use tracer_core::session::Report;

/// Places of rbp, rsp and rip in [`Report::registers`].
const FRAME: usize = 8;
const STACK: usize = 13;
const INSTRUCTION: usize = 14;

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
