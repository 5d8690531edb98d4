//! Running programs: recording, replaying, and both to compare.

mod foreground;
mod verify;

pub use verify::verify;
