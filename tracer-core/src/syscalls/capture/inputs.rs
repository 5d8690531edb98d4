//! Which memory the kernel read.

use super::super::Syscall;
use super::super::kind::{Buffer, Direction, Length, Type};
use super::super::layout::Layout;
use super::length::Call;
use super::messages::{VECTOR_SIZE, scattered};
use super::texts::text_length;
use super::{Before, ITEMS_MAX, Input, Memory, Region, count, long, resolve, value};

/// The most strings of an argument or environment list that are visited.
const STRINGS_MAX: u64 = 65_536;
/// The most bytes that are visited of a buffer whose size the kernel need not have liked, the call having
/// failed.
const FAILED_MAX: u64 = 4096;

/// Visits everything that the call read from the program's memory and has not overwritten, so that it can be
/// compared in replay: strings, and data as far as the call consumed it. May be called before or after the
/// call; `result` must be known. Memory that the call itself writes is not visited, since afterwards it no
/// longer holds what was read; so a `poll`'s array isn't, nor is the request of `nanosleep(&t, &t)`.
pub fn inputs(s: &Syscall, a: &[u64; 6], result: i64, m: &impl Memory, visit: &mut impl FnMut(Input)) {
    // Capacities only matter to what is written, which is bounded here by the largest that could be.
    let before = Before { capacity: u64::MAX };
    let call = Call { s, a, before: &before, result, m };
    for (index, argument) in s.arguments.iter().enumerate().take(a.len()) {
        if value(a, index as u8) != 0 {
            call.argument_inputs(index, resolve(argument.kind, index, a), visit);
        }
    }
}

impl<M: Memory> Call<'_, M> {
    fn argument_inputs(&self, index: usize, kind: Type, visit: &mut impl FnMut(Input)) {
        let (argument, address) = (index as u8, value(self.a, index as u8));
        let mut data = |region: Region| {
            if region.address != 0 && region.length > 0 && !self.overwrites(region) {
                visit(Input::Data(region));
            }
        };
        match kind {
            Type::Path => self.text(argument, address, visit),
            Type::Strings => {
                for at in 0..STRINGS_MAX {
                    match long(self.m, address.saturating_add(at * 8)) {
                        Some(text) if text != 0 => self.text(argument, text, visit),
                        _ => break,
                    }
                }
            }
            Type::Buffer(buffer) if buffer.direction == Direction::In => {
                data(Region { argument, address, length: self.consumed(buffer, address) });
            }
            Type::Vector(direction) => {
                let count = count(self.a, index + 1);
                data(Region { argument, address, length: count * VECTOR_SIZE });
                if direction == Direction::In {
                    scattered(self.m, argument, address, count, self.moved(), &mut data);
                }
            }
            Type::Message(direction) => {
                self.message_inputs(argument, address, self.moved(), direction, &mut data);
            }
            Type::Messages(direction) => {
                for at in 0..self.moved().min(ITEMS_MAX) {
                    let Some((item, moved)) = self.item(address, at) else { break };
                    self.message_inputs(argument, item, moved, direction, &mut data);
                }
            }
            Type::AttributeValue(direction) => {
                data(Region { argument, address, length: 16 });
                if let (Direction::In, Some((value, size))) = (direction, self.attribute(address)) {
                    data(Region { argument, address: value, length: self.bounded(size) });
                }
            }
            _ => {}
        }
    }

    fn text(&self, argument: u8, address: u64, visit: &mut impl FnMut(Input)) {
        if let Some(length) = text_length(self.m, address) {
            let region = Region { argument, address, length };
            if !self.overwrites(region) {
                visit(Input::Text(region));
            }
        }
    }

    fn consumed(&self, buffer: Buffer, address: u64) -> u64 {
        match buffer.length {
            Length::Bytes(bytes) => bytes as u64,
            // Of a write that failed, nothing was consumed, and what it would have been cannot matter.
            Length::Result { .. } if self.result < 0 => 0,
            rule => {
                let length = self.bounded(self.length(rule, address));
                match buffer.layout {
                    Layout::SocketAddress => self.address_length(address, length),
                    _ => length,
                }
            }
        }
    }

    /// The part of a socket address that says something: a path in a Unix domain ends with its NUL (unix(7)). libc's
    /// own, to ask nscd with, has whatever was on the stack behind that.
    fn address_length(&self, address: u64, length: u64) -> u64 {
        const PATH: u64 = 2;
        let mut start = [0; PATH as usize + 1];
        if length <= PATH || !self.m.read(address, &mut start) {
            return length;
        }
        let family = i32::from(u16::from_le_bytes([start[0], start[1]]));
        match text_length(self.m, address.saturating_add(PATH)) {
            Some(path) if family == libc::AF_UNIX && path > 0 => length.min(path.saturating_add(PATH + 1)),
            _ => length,
        }
    }

    fn bounded(&self, length: u64) -> u64 {
        if self.result < 0 { length.min(FAILED_MAX) } else { length }
    }

    /// Whether the call writes to any of `region`. Only the row's own buffers are looked at: programs do give
    /// one structure for both the old value and the new, or one buffer for a path and its target.
    fn overwrites(&self, region: Region) -> bool {
        self.s.arguments.iter().enumerate().take(self.a.len()).any(|(index, argument)| {
            let address = value(self.a, index as u8);
            match resolve(argument.kind, index, self.a) {
                Type::Buffer(buffer) if address != 0 && buffer.direction.writes() => {
                    buffer.when.holds(self.result)
                        && address < region.address.saturating_add(region.length.max(1))
                        && region.address < address.saturating_add(self.length(buffer.length, address))
                }
                _ => false,
            }
        })
    }
}
