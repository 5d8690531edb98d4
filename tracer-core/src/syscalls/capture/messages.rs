//! Scattered buffers: iovec arrays and message headers.

use super::super::kind::Direction;
use super::length::Call;
use super::{ITEMS_MAX, Memory, Region, word};
use crate::event::InputSummary;

/// Bytes of a `struct iovec`.
pub const VECTOR_SIZE: u64 = 16;
/// Bytes of a `struct msghdr`.
pub const MESSAGE_SIZE: u64 = 56;
/// Bytes of a `struct mmsghdr`.
pub const ITEM_SIZE: u64 = 64;
/// Where in a `struct mmsghdr` the count of bytes moved is.
pub const ITEM_MOVED: u64 = 56;
/// How much of what was read the log keeps.
const PREFIX: u64 = InputSummary::PREFIX as u64;
/// The last field of a `struct msghdr` that the kernel writes, msg_flags, ends here.
const MESSAGE_WRITTEN: u64 = 52;

/// The addresses and sizes in a `struct msghdr`.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Address of the peer's name.
    pub name: u64,
    /// Bytes of it.
    pub name_length: u64,
    /// Address of the iovec array.
    pub vector: u64,
    /// Items of it.
    pub vector_length: u64,
    /// Address of the control messages.
    pub control: u64,
    /// Bytes of them.
    pub control_length: u64,
}

/// The `struct msghdr` at `address`.
pub fn message(m: &impl Memory, address: u64) -> Option<Message> {
    let mut bytes = [0; MESSAGE_SIZE as usize];
    if address == 0 || !m.read(address, &mut bytes) {
        return None;
    }
    let at = |offset: usize| u64::from_le_bytes(core::array::from_fn(|i| bytes[offset + i]));
    Some(Message {
        name: at(0),
        name_length: at(8) as u32 as u64,
        vector: at(16),
        vector_length: at(24).min(ITEMS_MAX),
        control: at(32),
        control_length: at(40),
    })
}

/// Capacity for the peer's name in the message at `address`.
pub fn name_capacity(m: &impl Memory, address: u64) -> Option<u64> {
    message(m, address).map(|message| message.name_length)
}

/// The largest such capacity among `count` items at `address`.
pub fn largest_name_capacity(m: &impl Memory, address: u64, count: u64) -> Option<u64> {
    (0..count).map_while(|at| name_capacity(m, address.saturating_add(at * ITEM_SIZE))).max()
}

/// The address and size of each of `count` iovec items at `address`, as far as they can be read.
pub fn vectors(m: &impl Memory, address: u64, count: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..count.min(ITEMS_MAX)).map_while(move |at| {
        let mut bytes = [0; VECTOR_SIZE as usize];
        let read = address != 0 && m.read(address.saturating_add(at * VECTOR_SIZE), &mut bytes);
        let half = |offset: usize| u64::from_le_bytes(core::array::from_fn(|i| bytes[offset + i]));
        read.then(|| (half(0), half(8)))
    })
}

/// The pieces of memory that `moved` bytes fill in the `count` iovec items at `address`.
pub fn scattered(
    m: &impl Memory,
    argument: u8,
    address: u64,
    count: u64,
    mut moved: u64,
    visit: &mut impl FnMut(Region),
) {
    for (address, capacity) in vectors(m, address, count) {
        if moved == 0 {
            break;
        }
        let length = moved.min(capacity);
        moved -= length;
        visit(Region { argument, address, length });
    }
}

impl<M: Memory> Call<'_, M> {
    /// What the kernel wrote for the received message at `address`, whose data are `moved` bytes.
    pub(super) fn message_outputs(
        &self,
        argument: u8,
        address: u64,
        moved: u64,
        visit: &mut impl FnMut(Region),
    ) {
        let Some(message) = message(self.m, address) else { return };
        let mut piece = |address: u64, length: u64| visit(Region { argument, address, length });
        // Only three fields of it change, but in one piece it is one item in the log, and the rest serves
        // printing.
        piece(address, MESSAGE_WRITTEN);
        piece(message.name, message.name_length.min(self.before.capacity));
        piece(message.control, message.control_length);
        scattered(self.m, argument, message.vector, message.vector_length, moved, visit);
    }

    /// What the kernel read of the message at `address` that is being sent, or of what describes the buffers
    /// of one that is being received.
    pub(super) fn message_inputs(
        &self,
        argument: u8,
        address: u64,
        moved: u64,
        direction: Direction,
        visit: &mut impl FnMut(Region),
    ) {
        let Some(message) = message(self.m, address) else { return };
        let mut piece = |address: u64, length: u64| visit(Region { argument, address, length });
        piece(message.vector, message.vector_length * VECTOR_SIZE);
        if direction.writes() {
            return;
        }
        // In two pieces, because the log keeps only the first bytes of each, for printing.
        piece(address, PREFIX);
        piece(address.saturating_add(PREFIX), MESSAGE_SIZE - PREFIX);
        piece(message.name, message.name_length);
        piece(message.control, message.control_length);
        scattered(self.m, argument, message.vector, message.vector_length, moved, visit);
    }

    /// Bytes moved for item `at` of the mmsghdr array at `address`, and the address of the item.
    pub(super) fn item(&self, address: u64, at: u64) -> Option<(u64, u64)> {
        let item = address.checked_add(at * ITEM_SIZE)?;
        Some((item, word(self.m, item.checked_add(ITEM_MOVED)?)?))
    }
}
