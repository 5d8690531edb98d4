//! Traces as a whole: which one is meant, which there are, removing them.

mod list;
mod locate;
mod pack;
mod remove;

pub use list::list;
pub use locate::locate;
pub use pack::{pack, unpack};
pub use remove::remove;

use crate::status::Ending;
use tracer_core::trace::manifest::{Manifest, ProcessEnded};

/// How the recording's first process ended; `None` if the trace does not reach so far.
pub fn ending(manifest: &Manifest) -> Option<Ending> {
    // Each exec begins another entry of the same stream.
    let first = manifest.processes.iter().rfind(|process| process.stream == 0)?;
    match first.ended {
        ProcessEnded::Exited(status) => Some(Ending::Exited(status.into())),
        ProcessEnded::Signalled(signal) => Some(Ending::Killed(signal.into())),
        ProcessEnded::Replaced | ProcessEnded::CutShort(_) | ProcessEnded::Unrecorded(_) => None,
    }
}

/// The recorded command line, as text.
pub fn command_line(manifest: &Manifest) -> String {
    manifest.command.iter().map(|word| word.to_text()).collect::<Vec<_>>().join(" ")
}
