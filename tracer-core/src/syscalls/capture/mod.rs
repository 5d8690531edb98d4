//! Which memory a call reads and writes, from its row.

mod capacities;
mod inputs;
mod length;
pub(super) mod messages;
mod outputs;
mod texts;

pub use capacities::{Capacity, Pointer, capacities};
pub use inputs::inputs;
pub(super) use length::Call;
pub use outputs::outputs;

use super::Syscall;
use super::commands::ioctl;
use super::kind::{Argument, Buffer, Direction, Length, Limit, Type};
use super::layout::{Layout, Structure};

/// Memory of the program, of which any address may be bad.
pub trait Memory {
    /// Copies memory at `address` to all of `target`. False if any of it cannot be read.
    fn read(&self, address: u64, target: &mut [u8]) -> bool;

    /// Copies as much of the memory at `address` to the front of `target` as can be had at once, and says how many bytes
    /// these are: 0 only if not even one can be read.
    fn read_some(&self, address: u64, target: &mut [u8]) -> usize {
        target.get_mut(..1).map_or(0, |first| usize::from(self.read(address, first)))
    }
}

/// A piece of the program's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Which argument led there.
    pub argument: u8,
    /// Where it is.
    pub address: u64,
    /// Bytes, never 0 except for the empty string of an [`Input::Text`].
    pub length: u64,
}

/// What a call read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A string, without the NUL that ends it.
    Text(Region),
    /// Anything else.
    Data(Region),
}

/// What [`outputs()`] needs to know from before the call, since the kernel overwrites it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Capacity in bytes of the buffer whose length the kernel replaces by what there was to say. For
    /// `recvmmsg` the largest of the capacities for addresses.
    pub capacity: u64,
}

/// The most items of an iovec or mmsghdr array that the kernel takes (IOV_MAX).
pub const ITEMS_MAX: u64 = 1024;

/// Whether [`before`] looks at memory for a call with such arguments.
pub(super) const fn values_before(arguments: &[Argument]) -> bool {
    let mut at = 0;
    while at < arguments.len() {
        match arguments[at].kind {
            Type::Buffer(Buffer {
                length: Length::ValueResult { .. } | Length::Counted { limit: Limit::Earlier, .. },
                ..
            }) => return true,
            Type::Message(direction) | Type::Messages(direction) if direction.writes() => return true,
            Type::Ioctl => return true,
            _ => {}
        }
        at += 1;
    }
    false
}

/// Notes the values that the kernel will overwrite and that [`outputs()`] needs. To be called before the call
/// is made, while recording; nearly free for most calls.
#[inline]
pub fn before(s: &Syscall, a: &[u64; 6], m: &impl Memory) -> Before {
    if !s.values_before {
        return Before::default();
    }
    look_before(s, a, m)
}

#[cold]
fn look_before(s: &Syscall, a: &[u64; 6], m: &impl Memory) -> Before {
    for (index, argument) in s.arguments.iter().enumerate().take(a.len()) {
        let capacity = match resolve(argument.kind, index, a) {
            Type::Buffer(buffer) => match buffer.length {
                Length::ValueResult { argument } => word(m, value(a, argument)),
                Length::Counted { count_at, limit: Limit::Earlier, .. } => {
                    word(m, value(a, index as u8).saturating_add(count_at as u64))
                }
                _ => continue,
            },
            Type::Message(Direction::Out) => messages::name_capacity(m, value(a, index as u8)),
            Type::Messages(Direction::Out) => {
                messages::largest_name_capacity(m, value(a, index as u8), count(a, index + 1))
            }
            Type::InterfaceList => word(m, value(a, index as u8)),
            _ => continue,
        };
        return Before { capacity: capacity.unwrap_or(0) };
    }
    Before::default()
}

/// The structure, if it is one, that the call reads where its argument `index` points.
pub fn structure_read(s: &Syscall, a: &[u64; 6], index: u8) -> Option<&'static Structure> {
    match resolve(s.arguments.get(index as usize)?.kind, index as usize, a) {
        Type::Buffer(Buffer { layout: Layout::Structure(structure), .. }) => Some(structure),
        _ => None,
    }
}

/// What argument `index` is in this call: commands have their own ideas.
pub(super) fn resolve(kind: Type, index: usize, a: &[u64; 6]) -> Type {
    match kind {
        Type::ByCommand(set) => set.kind(index, a),
        Type::Ioctl => ioctl::kind(a),
        kind => kind,
    }
}

/// An argument's register, 0 if there is no such argument.
fn value(a: &[u64; 6], argument: u8) -> u64 {
    a.get(argument as usize).copied().unwrap_or(0)
}

/// The argument that counts an array's items, no more than the kernel would take.
fn count(a: &[u64; 6], argument: usize) -> u64 {
    a.get(argument).copied().unwrap_or(0).min(ITEMS_MAX)
}

/// The `u32` at `address`.
pub(super) fn word(m: &impl Memory, address: u64) -> Option<u64> {
    let mut bytes = [0; 4];
    (address != 0 && m.read(address, &mut bytes)).then(|| u32::from_le_bytes(bytes) as u64)
}

/// The `u64` at `address`.
pub(super) fn long(m: &impl Memory, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (address != 0 && m.read(address, &mut bytes)).then(|| u64::from_le_bytes(bytes))
}
