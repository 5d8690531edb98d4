//! Bytes by their layout.

use super::super::layout::{Form, Layout, Structure};
use super::bytes::{SHOWN, quoted};
use super::{list, number, separated, signal_name, socket};

/// How many items of an array are shown.
const ITEMS_SHOWN: usize = 32;

/// `bytes` as what they mean.
pub fn bytes(out: &mut String, layout: Layout, bytes: &[u8]) {
    match layout {
        Layout::Bytes => quoted(out, &bytes[..bytes.len().min(SHOWN)], bytes.len() > SHOWN),
        Layout::Text => quoted(out, until_nul(bytes), false),
        Layout::Structure(one) => match one.size as usize {
            size if bytes.len() >= 2 * size => {
                array(out, size, bytes, |out, item| structure(out, one, item));
            }
            _ => structure(out, one, bytes),
        },
        Layout::Ints => array(out, 4, bytes, |out, item| number::decimal(out, signed(item))),
        Layout::Words => array(out, 8, bytes, |out, item| number::hex(out, unsigned(item))),
        Layout::Longs => array(out, 8, bytes, |out, item| number::decimal(out, signed(item))),
        Layout::Signals => signals(out, unsigned(bytes)),
        Layout::Descriptors => {
            out.push('[');
            separated(out, " ", bits(bytes), number::decimal);
            out.push(']');
        }
        Layout::SocketAddress => socket::address(out, bytes),
        Layout::DirectoryEntries => entries(out, bytes),
        Layout::WaitStatus => wait_status(out, signed(bytes) as i32),
    }
}

/// The whole items of `size` bytes that there are.
fn array(out: &mut String, size: usize, bytes: &[u8], show: impl FnMut(&mut String, &[u8])) {
    list(out, bytes.chunks_exact(size), ITEMS_SHOWN, show);
}

/// `{name=value, ...}`, as far as the bytes go: the kernel takes shorter, older versions of many structures.
fn structure(out: &mut String, one: &Structure, bytes: &[u8]) {
    let there = one.fields.iter().filter_map(|field| {
        let start = field.offset as usize;
        Some((field, bytes.get(start..start + field.form.size())?))
    });
    out.push('{');
    separated(out, ", ", there, |out, (field, value)| {
        out.push_str(field.name);
        out.push('=');
        form(out, field.form, value);
    });
    out.push('}');
}

fn form(out: &mut String, form: Form, value: &[u8]) {
    match form {
        Form::Signed(_) => number::decimal(out, signed(value)),
        Form::Unsigned(_) => number::decimal(out, unsigned(value)),
        Form::Hex(_) => number::hex(out, unsigned(value)),
        Form::Octal => number::mode(out, unsigned(value)),
        Form::FileMode => number::file_mode(out, unsigned(value)),
        Form::Named(_, names) => number::named(out, names, unsigned(value)),
        Form::Text(_) => quoted(out, until_nul(value), false),
        Form::Signal => out.push_str(&signal_name(signed(value) as i32)),
        Form::Structure(inner) => structure(out, inner, value),
    }
}

/// Up to 8 bytes as a number.
pub fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    (unsigned(bytes) << unused) as i64 >> unused
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

fn bits(bytes: &[u8]) -> impl Iterator<Item = usize> {
    (0..bytes.len() * 8).filter(|at| bytes[at / 8] >> (at % 8) & 1 != 0)
}

/// `[INT CHLD]`, or what is missing if that is shorter: `~[KILL STOP]`.
fn signals(out: &mut String, set: u64) {
    let inverted = set.count_ones() > 32;
    let set = if inverted { !set } else { set };
    out.push_str(if inverted { "~[" } else { "[" });
    separated(out, " ", bits(&set.to_le_bytes()), |out, at| {
        let name = signal_name(at as i32 + 1);
        out.push_str(name.strip_prefix("SIG").unwrap_or(&name));
    });
    out.push(']');
}

/// How many `struct linux_dirent64` records there are, and the first names.
fn entries(out: &mut String, bytes: &[u8]) {
    const LENGTH_AT: usize = 16;
    const NAME_AT: usize = 19;
    let mut rest = bytes;
    let names = std::iter::from_fn(|| {
        let length = unsigned(rest.get(LENGTH_AT..LENGTH_AT + 2)?) as usize;
        let record = rest.get(..length).filter(|record| record.len() > NAME_AT)?;
        rest = &rest[length..];
        Some(until_nul(&record[NAME_AT..]))
    });
    let names: Vec<&[u8]> = names.collect();
    list(out, names.iter(), 3, |out, name| quoted(out, name, false));
    put!(out, " /* {} entries */", names.len());
}

/// `[{WIFEXITED(s) && WEXITSTATUS(s) == 1}]`.
fn wait_status(out: &mut String, status: i32) {
    if libc::WIFEXITED(status) {
        put!(out, "[{{WIFEXITED(s) && WEXITSTATUS(s) == {}}}]", libc::WEXITSTATUS(status));
    } else if libc::WIFSIGNALED(status) {
        let core = if libc::WCOREDUMP(status) { " && WCOREDUMP(s)" } else { "" };
        let name = signal_name(libc::WTERMSIG(status));
        put!(out, "[{{WIFSIGNALED(s) && WTERMSIG(s) == {name}{core}}}]");
    } else if libc::WIFSTOPPED(status) {
        let name = signal_name(libc::WSTOPSIG(status));
        put!(out, "[{{WIFSTOPPED(s) && WSTOPSIG(s) == {name}}}]");
    } else if libc::WIFCONTINUED(status) {
        out.push_str("[{WIFCONTINUED(s)}]");
    } else {
        put!(out, "[{status:#x}]");
    }
}
