//! Looking into a trace without running it.

mod dump;
mod ps;

pub use dump::{call_name, dump, event_text, instruction_name};
pub use ps::print_processes;
