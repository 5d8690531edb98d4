//! Looking into a trace without running it.

mod dump;
mod family;
mod ps;
mod recording;
mod stats;

pub use dump::dump;
pub use ps::print_processes;
pub use stats::print_stats;
