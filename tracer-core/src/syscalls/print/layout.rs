//! Bytes by their layout.

use super::super::layout::{Field, Form, Layout, Structure};
use super::bytes::{SHOWN, quoted};
use super::{number, signal_name, socket};

/// How many items of an array are shown.
const ITEMS_SHOWN: usize = 32;

/// `bytes` as what they mean.
pub fn bytes(layout: Layout, bytes: &[u8]) -> String {
    match layout {
        Layout::Bytes => quoted(&bytes[..bytes.len().min(SHOWN)], bytes.len() > SHOWN),
        Layout::Text => quoted(until_nul(bytes), false),
        Layout::Structure(one) => match one.size as usize {
            size if bytes.len() >= 2 * size => {
                array(bytes.chunks_exact(size).map(|item| structure(one, item)))
            }
            _ => structure(one, bytes),
        },
        Layout::Ints => array(bytes.chunks_exact(4).map(|item| signed(item).to_string())),
        Layout::Words => array(bytes.chunks_exact(8).map(|item| number::hex(unsigned(item)))),
        Layout::Longs => array(bytes.chunks_exact(8).map(|item| signed(item).to_string())),
        Layout::Signals => signals(unsigned(bytes)),
        Layout::Descriptors => {
            let set = bits(bytes).map(|at| at.to_string()).collect::<Vec<_>>();
            format!("[{}]", set.join(" "))
        }
        Layout::SocketAddress => socket::address(bytes),
        Layout::DirectoryEntries => entries(bytes),
        Layout::WaitStatus => wait_status(signed(bytes) as i32),
    }
}

fn array(items: impl Iterator<Item = String>) -> String {
    let mut items = items.peekable();
    let mut shown: Vec<String> = items.by_ref().take(ITEMS_SHOWN).collect();
    if items.peek().is_some() {
        shown.push("...".to_string());
    }
    format!("[{}]", shown.join(", "))
}

/// `{name=value, ...}`, as far as the bytes go: the kernel takes shorter, older versions of many structures.
fn structure(one: &Structure, bytes: &[u8]) -> String {
    let fields = one.fields.iter().filter_map(|field| {
        let rest = bytes.get(field.offset as usize..)?;
        Some(format!("{}={}", field.name, form(field, rest)?))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

fn form(field: &Field, rest: &[u8]) -> Option<String> {
    Some(match field.form {
        Form::Signed(size) => signed(rest.get(..size as usize)?).to_string(),
        Form::Unsigned(size) => unsigned(rest.get(..size as usize)?).to_string(),
        Form::Hex(size) => number::hex(unsigned(rest.get(..size as usize)?)),
        Form::Octal => number::mode(unsigned(rest.get(..4)?)),
        // statx has 16 bits for it, which x86-64 stores where the lower half of stat's 32 would be.
        Form::FileMode => number::file_mode(unsigned(rest.get(..2)?)),
        Form::Named(size, names) => number::named(names, unsigned(rest.get(..size as usize)?)),
        Form::Text(size) => quoted(until_nul(rest.get(..size as usize)?), false),
        Form::Signal => signal_name(signed(rest.get(..4)?) as i32).into_owned(),
        Form::Structure(inner) => structure(inner, rest.get(..inner.size as usize)?),
    })
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
fn signals(set: u64) -> String {
    let inverted = set.count_ones() > 32;
    let set = if inverted { !set } else { set };
    let names: Vec<String> = bits(&set.to_le_bytes())
        .map(|at| {
            let name = signal_name(at as i32 + 1);
            name.strip_prefix("SIG").unwrap_or(&name).to_string()
        })
        .collect();
    format!("{}[{}]", if inverted { "~" } else { "" }, names.join(" "))
}

/// How many `struct linux_dirent64` records there are, and the first names.
fn entries(bytes: &[u8]) -> String {
    const LENGTH_AT: usize = 16;
    const NAME_AT: usize = 19;
    let mut names = Vec::new();
    let mut rest = bytes;
    while let Some(length) = rest.get(LENGTH_AT..LENGTH_AT + 2).map(|field| unsigned(field) as usize) {
        let Some(record) = rest.get(..length).filter(|record| record.len() > NAME_AT) else { break };
        names.push(quoted(until_nul(&record[NAME_AT..]), false));
        rest = &rest[length..];
    }
    let count = names.len();
    names.truncate(3);
    if count > names.len() {
        names.push("...".to_string());
    }
    format!("[{}] /* {count} entries */", names.join(", "))
}

/// `[{WIFEXITED(s) && WEXITSTATUS(s) == 1}]`.
fn wait_status(status: i32) -> String {
    if libc::WIFEXITED(status) {
        format!("[{{WIFEXITED(s) && WEXITSTATUS(s) == {}}}]", libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        let core = if libc::WCOREDUMP(status) { " && WCOREDUMP(s)" } else { "" };
        format!("[{{WIFSIGNALED(s) && WTERMSIG(s) == {}{core}}}]", signal_name(libc::WTERMSIG(status)))
    } else if libc::WIFSTOPPED(status) {
        format!("[{{WIFSTOPPED(s) && WSTOPSIG(s) == {}}}]", signal_name(libc::WSTOPSIG(status)))
    } else if libc::WIFCONTINUED(status) {
        "[{WIFCONTINUED(s)}]".to_string()
    } else {
        format!("[{status:#x}]")
    }
}
