//! System calls as text, in the style of strace. Only tools use this: it allocates.

mod argument;
mod bytes;
mod codes;
mod layout;
mod message;
mod number;
mod socket;

pub use codes::{errno_name, signal_name};

use super::capture::Memory;
use super::kind::Type;
use super::{Syscall, commands};
use argument::Printer;

/// A call with its result: `read(3, "root:x:0"..., 4096) = 1024`. What memory cannot show (`m` may be a trace
/// that kept only the beginning of it) is an address instead. Strings in `m` end with NUL or where memory
/// ends.
pub fn print(s: &Syscall, a: &[u64; 6], result: i64, m: &impl Memory) -> String {
    format!("{} = {}", printed(s, a, Some(result), m), outcome(s, result))
}

/// A call before it was made, or of which only that matters: `read(3, 0x7f0012345678, 4096)`.
pub fn print_call(s: &Syscall, a: &[u64; 6], m: &impl Memory) -> String {
    printed(s, a, None, m)
}

fn printed(s: &Syscall, a: &[u64; 6], result: Option<i64>, m: &impl Memory) -> String {
    let printer = Printer { s, a, result, m };
    let arguments: Vec<String> = (0..shown(s, a)).map(|index| printer.argument(index)).collect();
    format!("{}({})", s.name, arguments.join(", "))
}

/// How many arguments are worth showing: a command that takes fewer leaves chance values in the others, and
/// so does `open` in its mode.
fn shown(s: &Syscall, a: &[u64; 6]) -> usize {
    let creates = |flags: u64| flags as i32 & (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) != 0;
    match s.name {
        "open" if !creates(a[1]) => return 2,
        "openat" if !creates(a[2]) => return 3,
        "mq_open" if !creates(a[1]) => return 2,
        _ => {}
    }
    let mut count = s.arguments.len().min(a.len());
    while let Some(Type::ByCommand(_) | Type::Ioctl) = count.checked_sub(1).map(|at| s.arguments[at].kind) {
        let set = match s.arguments[count - 1].kind {
            Type::ByCommand(set) => set,
            _ => &commands::ioctl::IOCTL,
        };
        match set.find(a) {
            Some(command) if !command.arguments.iter().any(|(at, _)| *at as usize == count - 1) => count -= 1,
            _ => break,
        }
    }
    count
}

/// What came of a call.
fn outcome(s: &Syscall, result: i64) -> String {
    // Errors are the last page of the address space; anything below is an address or a count.
    if (-4095..0).contains(&result) {
        let error = -result as i32;
        return format!("-1 {} ({})", errno_name(error), codes::errno_text(error));
    }
    match s.name {
        "mmap" | "mremap" | "brk" | "shmat" => number::hex(result as u64),
        _ => result.to_string(),
    }
}
