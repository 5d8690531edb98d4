//! Looking into a trace without running it.

mod dump;
mod ps;

pub use dump::{call_name, dump, event_name, event_text, kind_name, print_event};
pub use ps::print_processes;
