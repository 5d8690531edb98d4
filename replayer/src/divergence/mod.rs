//! What is told when a replay met something other than what was recorded.

mod backtrace;
mod process;

pub use backtrace::Registers;
pub use process::Process;
