//! System calls as text, in the style of strace. Only tools use this: it allocates.
//!
//! Everything is appended to the caller's text, since a trace has millions of calls, each of many parts. What may turn out
//! to be unreadable half-way gives `None`, see [`either`].

/// Appends formatted text to a string, which cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {{
        let _ = core::fmt::Write::write_fmt($out, format_args!($($format)*));
    }};
}

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

/// Appends a call with its result: `read(3, "root:x:0"..., 4096) = 1024`; or without one as it was before it was made:
/// `read(3, 0x7f0012345678, 4096)`. What memory cannot show (`m` may be a trace that kept only the beginning of it) is an
/// address instead. Strings in `m` end with NUL or where memory ends.
pub fn print(out: &mut String, s: &Syscall, a: &[u64; 6], result: Option<i64>, m: &impl Memory) {
    let printer = Printer { s, a, result, m };
    out.push_str(s.name);
    out.push('(');
    separated(out, ", ", 0..shown(s, a), |out, index| printer.argument(out, index));
    out.push(')');
    if let Some(result) = result {
        out.push_str(" = ");
        outcome(out, s, result);
    }
}

/// Appends each of `items` as `show` does, with `separator` between them.
fn separated<T>(
    out: &mut String,
    separator: &str,
    items: impl Iterator<Item = T>,
    mut show: impl FnMut(&mut String, T),
) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        show(out, item);
    }
}

/// Appends `[a, b]`, or if there are more than `most` items, `[a, b, ...]`.
fn list<T>(
    out: &mut String,
    items: impl Iterator<Item = T>,
    most: usize,
    mut show: impl FnMut(&mut String, T),
) {
    out.push('[');
    separated(out, ", ", items.take(most.saturating_add(1)).enumerate(), |out, (at, item)| match at {
        _ if at == most => out.push_str("..."),
        _ => show(out, item),
    });
    out.push(']');
}

/// Appends what `first` does, or if that is `None`, what `second` does instead.
fn either(out: &mut String, first: impl FnOnce(&mut String) -> Option<()>, second: impl FnOnce(&mut String)) {
    let length = out.len();
    if first(out).is_none() {
        out.truncate(length);
        second(out);
    }
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
fn outcome(out: &mut String, s: &Syscall, result: i64) {
    // Errors are the last page of the address space; anything below is an address or a count.
    if (-4095..0).contains(&result) {
        let error = -result as i32;
        put!(out, "-1 {} ({})", errno_name(error), codes::errno_text(error));
        return;
    }
    match s.name {
        "mmap" | "mremap" | "brk" | "shmat" => number::hex(out, result as u64),
        _ => number::decimal(out, result),
    }
}
