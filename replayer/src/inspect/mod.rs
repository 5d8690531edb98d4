//! Looking into a trace without running it.

mod dump;
mod ps;

pub use dump::{call_name, dump, event_name, event_text};
pub use ps::print_processes;
