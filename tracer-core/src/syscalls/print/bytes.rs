//! Bytes as C strings.

use super::super::capture::Memory;
use crate::event::InputSummary;

/// How many bytes of data are shown, as in strace.
pub const SHOWN: usize = 32;
/// How many bytes of a path are shown.
pub const PATH_SHOWN: usize = 4096;

/// `"text\n"`, with `...` behind it if there is more.
pub fn quoted(bytes: &[u8], more: bool) -> String {
    let mut text = String::from("\"");
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x0b => text.push_str("\\v"),
            0x0c => text.push_str("\\f"),
            b' '..=b'~' => text.push(byte as char),
            // A digit behind a short octal escape would be taken for part of it.
            _ if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => text.push_str(&format!("\\{byte:03o}")),
            _ => text.push_str(&format!("\\{byte:o}")),
        }
    }
    text.push('"');
    if more {
        text.push_str("...");
    }
    text
}

/// As much of the `length` bytes at `address` as is shown and can be read; `None` if nothing can.
pub fn data(m: &impl Memory, address: u64, length: u64) -> Option<String> {
    let shown = length.min(SHOWN as u64) as usize;
    let bytes = read(m, address, shown)?;
    Some(quoted(&bytes, length > shown as u64))
}

/// The string at `address` up to its NUL, or to where memory ends; `None` if nothing can be read.
pub fn text(m: &impl Memory, address: u64) -> Option<String> {
    let mut bytes = Vec::new();
    while bytes.len() < PATH_SHOWN {
        let mut byte = [0];
        if !m.read(address.checked_add(bytes.len() as u64)?, &mut byte) {
            if bytes.is_empty() {
                return None;
            }
            break;
        }
        if byte[0] == 0 {
            return Some(quoted(&bytes, false));
        }
        bytes.push(byte[0]);
    }
    Some(quoted(&bytes, bytes.len() == PATH_SHOWN))
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
