//! The rows against the kernel's header, against made-up calls, and against real ones.

mod arena;
mod hostile;
mod inputs;
mod live_files;
mod live_ipc;
mod live_network;
mod live_process;
mod live_recent;
mod mock;
mod outputs;
mod printing;
mod table;

use super::{Memory, Syscall, print};

/// A call as text.
fn printed(s: &Syscall, a: &[u64; 6], result: Option<i64>, m: &impl Memory) -> String {
    let mut text = String::new();
    print::print(&mut text, s, a, result, m);
    text
}
