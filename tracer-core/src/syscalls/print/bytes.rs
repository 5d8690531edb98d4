//! Bytes as C strings.

use super::super::capture::Memory;
use crate::event::InputSummary;

/// How many bytes of data are shown, as in strace.
pub const SHOWN: usize = 32;
/// How many bytes of a path are shown.
pub const PATH_SHOWN: usize = 4096;

/// `"text\n"`, with `...` behind it if there is more.
pub fn quoted(out: &mut String, bytes: &[u8], more: bool) {
    out.reserve(bytes.len() + 2);
    out.push('"');
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x0b => out.push_str("\\v"),
            0x0c => out.push_str("\\f"),
            b' '..=b'~' => out.push(char::from(byte)),
            // A digit behind a short octal escape would be taken for part of it.
            _ => octal(out, byte, bytes.get(at + 1).is_some_and(u8::is_ascii_digit)),
        }
    }
    out.push('"');
    if more {
        out.push_str("...");
    }
}

/// `\1`, or `\001` if it is to be `whole`.
fn octal(out: &mut String, byte: u8, whole: bool) {
    out.push('\\');
    for digit in [6, 3, 0] {
        if whole || digit == 0 || byte >> digit != 0 {
            out.push(char::from(b'0' + (byte >> digit & 7)));
        }
    }
}

/// As much of the `length` bytes at `address` as is shown and can be read; `None` if nothing can.
pub fn data(out: &mut String, m: &impl Memory, address: u64, length: u64) -> Option<()> {
    let mut bytes = [0; SHOWN];
    let bytes = &mut bytes[..length.min(SHOWN as u64) as usize];
    let known = bytes.is_empty() || (address != 0 && m.read(address, bytes));
    known.then(|| quoted(out, bytes, length > SHOWN as u64))
}

/// The string at `address` up to its NUL, or to where memory ends; `None` if nothing can be read.
pub fn text(out: &mut String, m: &impl Memory, address: u64) -> Option<()> {
    let mut bytes = Vec::new();
    while bytes.len() < PATH_SHOWN {
        let mut piece = [0; 64];
        let most = piece.len().min(PATH_SHOWN - bytes.len());
        let length = m.read_some(address.checked_add(bytes.len() as u64)?, &mut piece[..most]);
        if let Some(end) = piece[..length].iter().position(|&byte| byte == 0) {
            bytes.extend(&piece[..end]);
            quoted(out, &bytes, false);
            return Some(());
        }
        if length == 0 {
            break;
        }
        bytes.extend(&piece[..length]);
    }
    (!bytes.is_empty()).then(|| quoted(out, &bytes, bytes.len() == PATH_SHOWN))
}

/// `length` bytes at `address`.
pub fn read(m: &impl Memory, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    (length == 0 || (address != 0 && m.read(address, &mut bytes))).then_some(bytes)
}

/// `length` bytes at `address`, or if a trace kept only the first of them, those.
pub fn read_beginning(m: &impl Memory, address: u64, length: usize) -> Option<Vec<u8>> {
    read(m, address, length).or_else(|| read(m, address, length.min(InputSummary::PREFIX)))
}
