//! Looking into a trace without running it.

mod dump;
mod ps;

pub use dump::{call_name, dump, instruction_name};
pub use ps::print_processes;
