//! Scattered buffers: iovec arrays and message headers.

use super::super::capture::Memory;
use super::super::capture::messages::{self, ITEM_MOVED, ITEM_SIZE};
use super::super::capture::word;
use super::super::names::network;
use super::bytes::{data, read};
use super::{either, number, separated, socket};

/// How many items of an array are shown.
const ITEMS_SHOWN: u64 = 16;
/// The longest address and the most control messages that are shown, in bytes.
const SHOWN: u64 = 4096;

/// `[{iov_base="abc", iov_len=3}]`; of each buffer as much as of `moved` bytes is in it.
pub fn vectors(out: &mut String, m: &impl Memory, address: u64, count: u64, mut moved: u64) {
    let mut items = messages::vectors(m, address, count.min(ITEMS_SHOWN)).peekable();
    if items.peek().is_none() && count > 0 {
        return number::pointer(out, address);
    }
    let mut shown = 0;
    out.push('[');
    separated(out, ", ", items, |out, (base, length)| {
        let used = length.min(moved);
        moved -= used;
        shown += 1;
        out.push_str("{iov_base=");
        either(out, |out| data(out, m, base, used), |out| number::pointer(out, base));
        put!(out, ", iov_len={length}}}");
    });
    out.push_str(if count > shown { ", ...]" } else { "]" });
}

/// The `struct msghdr` at `address`.
pub fn message(out: &mut String, m: &impl Memory, address: u64, moved: u64) -> Option<()> {
    let message = messages::message(m, address)?;
    let block = |out: &mut String, address: u64, length: u64, show: fn(&mut String, &[u8])| match read(
        m,
        address,
        length.min(SHOWN) as usize,
    )
    .filter(|bytes| !bytes.is_empty())
    {
        Some(bytes) => show(out, &bytes),
        None => number::pointer(out, address),
    };
    out.push_str("{msg_name=");
    block(out, message.name, message.name_length, socket::address);
    put!(out, ", msg_namelen={}, msg_iov=", message.name_length);
    vectors(out, m, message.vector, message.vector_length, moved);
    put!(out, ", msg_iovlen={}, msg_control=", message.vector_length);
    block(out, message.control, message.control_length, socket::control);
    put!(out, ", msg_controllen={}, msg_flags=", message.control_length);
    number::named(out, &network::MESSAGE, word(m, address.checked_add(48)?)?);
    out.push('}');
    Some(())
}

/// `count` items of the `struct mmsghdr` array at `address`.
pub fn messages(out: &mut String, m: &impl Memory, address: u64, count: u64) -> Option<()> {
    out.push('[');
    for at in 0..count.min(ITEMS_SHOWN) {
        let item = address.checked_add(at * ITEM_SIZE)?;
        let moved = word(m, item.checked_add(ITEM_MOVED)?)?;
        out.push_str(if at > 0 { ", {msg_hdr=" } else { "{msg_hdr=" });
        message(out, m, item, moved)?;
        put!(out, ", msg_len={moved}}}");
    }
    out.push_str(if count > ITEMS_SHOWN { ", ...]" } else { "]" });
    Some(())
}
