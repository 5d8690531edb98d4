//! The program's memory, as far as one event tells.

use super::reader::{Item, Items};
use crate::syscalls::Memory;

/// What an event's items say the program's memory held: what the kernel wrote there, the strings that the
/// call read, the first bytes of other memory that it read.
///
/// Where a call both read and wrote, the written bytes count.
#[derive(Debug)]
pub struct EventMemory<'a> {
    /// In the order in which they are asked.
    regions: Vec<Region<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Region<'a> {
    address: u64,
    bytes: &'a [u8],
    /// A NUL follows the bytes.
    terminated: bool,
}

impl<'a> EventMemory<'a> {
    /// The memory that `items` tell about.
    pub fn new(items: &'a Items) -> EventMemory<'a> {
        let written = items.iter().filter_map(|item| match item {
            Item::Output { address, bytes, .. } => Some(Region { address, bytes, terminated: false }),
            _ => None,
        });
        let read = items.iter().filter_map(|item| match item {
            Item::Text { address, text, .. } => Some(Region { address, bytes: text, terminated: true }),
            Item::Input { address, prefix, .. } => Some(Region { address, bytes: prefix, terminated: false }),
            _ => None,
        });
        EventMemory { regions: written.chain(read).collect() }
    }

    /// Fills `target` with what was at `address`; false if the event does not tell all of it.
    pub fn read(&self, address: u64, target: &mut [u8]) -> bool {
        let mut filled = 0;
        while filled < target.len() {
            match self.read_some(address.wrapping_add(filled as u64), &mut target[filled..]) {
                0 => return false,
                length => filled += length,
            }
        }
        true
    }
}

impl Memory for EventMemory<'_> {
    fn read(&self, address: u64, target: &mut [u8]) -> bool {
        EventMemory::read(self, address, target)
    }

    fn read_some(&self, address: u64, target: &mut [u8]) -> usize {
        self.regions.iter().find_map(|region| region.copy(address, target)).unwrap_or(0)
    }
}

impl Region<'_> {
    /// Copies what the region holds from `address` on to the front of `target`; `None` if that is nothing.
    fn copy(&self, address: u64, target: &mut [u8]) -> Option<usize> {
        let offset = usize::try_from(address.checked_sub(self.address)?).ok()?;
        if self.terminated && offset == self.bytes.len() {
            *target.first_mut()? = 0;
            return Some(1);
        }
        let bytes = self.bytes.get(offset..).filter(|bytes| !bytes.is_empty())?;
        let length = bytes.len().min(target.len());
        target[..length].copy_from_slice(&bytes[..length]);
        Some(length)
    }
}
