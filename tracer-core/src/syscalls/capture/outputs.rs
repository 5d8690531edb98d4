//! Which memory the kernel wrote.

use super::super::Syscall;
use super::super::kind::{Direction, Type, When};
use super::length::Call;
use super::messages::{ITEM_MOVED, ITEM_SIZE, scattered};
use super::{Before, ITEMS_MAX, Memory, Region, count, resolve, value, word};

/// Visits every piece of memory that the kernel wrote, in ascending order of arguments. To be called after
/// the call was made. What is visited may be more than was written where the kernel leaves gaps (padding,
/// unused fields), never less.
pub fn outputs(
    s: &Syscall,
    a: &[u64; 6],
    before: &Before,
    result: i64,
    m: &impl Memory,
    visit: &mut impl FnMut(Region),
) {
    let call = Call { s, a, before, result, m };
    let visit = &mut |region: Region| {
        // What an error names need not be memory at all: EFAULT may have been that error.
        if region.address != 0 && region.length > 0 && (result >= 0 || call.readable(region)) {
            visit(region);
        }
    };
    for (index, argument) in s.arguments.iter().enumerate().take(a.len()) {
        call.argument_outputs(index, resolve(argument.kind, index, a), visit);
    }
}

impl<M: Memory> Call<'_, M> {
    fn argument_outputs(&self, index: usize, kind: Type, visit: &mut impl FnMut(Region)) {
        let (argument, address) = (index as u8, value(self.a, index as u8));
        if address == 0 {
            return;
        }
        let mut piece = |address: u64, length: u64| visit(Region { argument, address, length });
        let succeeded = self.result >= 0;
        match kind {
            Type::Buffer(buffer) if buffer.direction.writes() && buffer.when.holds(self.result) => {
                let region = Region { argument, address, length: self.length(buffer.length, address) };
                if buffer.when != When::Perhaps || self.readable(region) {
                    visit(region);
                }
            }
            Type::ValueLength { of } if self.tells_length() && value(self.a, of) != 0 => piece(address, 4),
            Type::Vector(direction) if direction.writes() => {
                scattered(self.m, argument, address, count(self.a, index + 1), self.moved(), visit);
            }
            Type::Message(Direction::Out) if succeeded => {
                self.message_outputs(argument, address, self.moved(), visit);
            }
            Type::Messages(Direction::Out) => {
                for at in 0..self.moved().min(ITEMS_MAX) {
                    let Some((item, moved)) = self.item(address, at) else { break };
                    self.message_outputs(argument, item, moved, visit);
                    visit(Region { argument, address: item + ITEM_MOVED, length: 4 });
                }
            }
            Type::Messages(Direction::In) => {
                for at in 0..self.moved().min(ITEMS_MAX) {
                    piece(address.saturating_add(at * ITEM_SIZE + ITEM_MOVED), 4);
                }
            }
            Type::AttributeValue(Direction::Out) => {
                if let Some((value, size)) = self.attribute(address) {
                    piece(value, self.moved().min(size));
                }
            }
            Type::InterfaceList if succeeded => {
                piece(address, 4);
                let length = word(self.m, address).unwrap_or(0).min(self.before.capacity);
                if let Some(list) = super::long(self.m, address.saturating_add(8)) {
                    piece(list, length);
                }
            }
            _ => {}
        }
    }

    fn readable(&self, region: Region) -> bool {
        let Some(end) = region.address.checked_add(region.length.saturating_sub(1)) else { return false };
        self.m.read(region.address, &mut [0]) && self.m.read(end, &mut [0])
    }

    /// ERANGE from getsockopt says that the buffer was too small, and the length how large it should be.
    fn tells_length(&self) -> bool {
        self.result >= 0 || self.result == -i64::from(libc::ERANGE)
    }

    /// The address and size that the `struct xattr_args` at `address` holds.
    pub(super) fn attribute(&self, address: u64) -> Option<(u64, u64)> {
        Some((super::long(self.m, address)?, word(self.m, address.checked_add(8)?)?))
    }
}
