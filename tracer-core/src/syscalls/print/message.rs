//! Scattered buffers: iovec arrays and message headers.

use super::super::capture::Memory;
use super::super::capture::messages::{self, ITEM_MOVED, ITEM_SIZE};
use super::super::capture::word;
use super::super::names::network;
use super::bytes::{data, read};
use super::{number, socket};

/// How many items of an array are shown.
const ITEMS_SHOWN: u64 = 16;
/// The longest address and the most control messages that are shown, in bytes.
const SHOWN: u64 = 4096;

/// `[{iov_base="abc", iov_len=3}]`; of each buffer as much as of `moved` bytes is in it.
pub fn vectors(m: &impl Memory, address: u64, count: u64, mut moved: u64) -> String {
    let mut items = Vec::new();
    for (base, length) in messages::vectors(m, address, count.min(ITEMS_SHOWN)) {
        let used = length.min(moved);
        moved -= used;
        let bytes = data(m, base, used).unwrap_or_else(|| number::pointer(base));
        items.push(format!("{{iov_base={bytes}, iov_len={length}}}"));
    }
    if items.is_empty() && count > 0 {
        return number::pointer(address);
    }
    if count > items.len() as u64 {
        items.push("...".to_string());
    }
    format!("[{}]", items.join(", "))
}

/// The `struct msghdr` at `address`.
pub fn message(m: &impl Memory, address: u64, moved: u64) -> Option<String> {
    let message = messages::message(m, address)?;
    let block = |address: u64, length: u64, show: fn(&[u8]) -> String| match length {
        0 => number::pointer(address),
        _ => read(m, address, length.min(SHOWN) as usize)
            .map_or_else(|| number::pointer(address), |bytes| show(&bytes)),
    };
    let flags = word(m, address.checked_add(48)?)?;
    Some(format!(
        "{{msg_name={}, msg_namelen={}, msg_iov={}, msg_iovlen={}, msg_control={}, msg_controllen={}, \
         msg_flags={}}}",
        block(message.name, message.name_length, socket::address),
        message.name_length,
        vectors(m, message.vector, message.vector_length, moved),
        message.vector_length,
        block(message.control, message.control_length, socket::control),
        message.control_length,
        number::named(&network::MESSAGE, flags)
    ))
}

/// `count` items of the `struct mmsghdr` array at `address`.
pub fn messages(m: &impl Memory, address: u64, count: u64) -> Option<String> {
    let mut items = Vec::new();
    for at in 0..count.min(ITEMS_SHOWN) {
        let item = address.checked_add(at * ITEM_SIZE)?;
        let moved = word(m, item.checked_add(ITEM_MOVED)?)?;
        items.push(format!("{{msg_hdr={}, msg_len={moved}}}", message(m, item, moved)?));
    }
    if count > ITEMS_SHOWN {
        items.push("...".to_string());
    }
    Some(format!("[{}]", items.join(", ")))
}
