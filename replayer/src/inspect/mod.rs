//! Looking into a trace without running it.

mod dump;
mod recording;
mod stats;

pub use dump::dump;
pub use stats::print_stats;
