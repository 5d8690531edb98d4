//! Socket addresses and control messages.

use super::super::names::network;
use super::bytes::quoted;
use super::layout::unsigned;
use super::{either, list, number};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A `struct sockaddr` of whatever family: `{sa_family=AF_INET, sin_port=htons(80), ...}`.
pub fn address(out: &mut String, bytes: &[u8]) {
    let Some(family) = bytes.get(..2).map(unsigned) else { return quoted(out, bytes, false) };
    out.push_str("{sa_family=");
    number::named(out, &network::FAMILY, family);
    out.push_str(", ");
    let known = |out: &mut String| match family as i32 {
        libc::AF_UNIX => unix(out, &bytes[2..]),
        libc::AF_INET => internet(out, bytes),
        libc::AF_INET6 => internet6(out, bytes),
        libc::AF_NETLINK => netlink(out, bytes),
        _ => None,
    };
    either(out, known, |out| {
        out.push_str("sa_data=");
        quoted(out, &bytes[2..], false);
    });
    out.push('}');
}

fn unix(out: &mut String, path: &[u8]) -> Option<()> {
    match path.split_first()? {
        // An abstract name: everything counts, NULs too.
        (0, rest) if !rest.is_empty() && rest[0] != 0 => {
            out.push_str("sun_path=@");
            quoted(out, rest, false);
        }
        _ => {
            let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
            out.push_str("sun_path=");
            quoted(out, &path[..end], false);
        }
    }
    Some(())
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))
}

fn internet(out: &mut String, bytes: &[u8]) -> Option<()> {
    let address: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    put!(out, "sin_port=htons({}), sin_addr=inet_addr(\"{}\")", port(bytes)?, Ipv4Addr::from(address));
    Some(())
}

fn internet6(out: &mut String, bytes: &[u8]) -> Option<()> {
    let address: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    let scope = bytes.get(24..28).map_or(0, unsigned);
    put!(
        out,
        "sin6_port=htons({}), inet_pton(AF_INET6, \"{}\", &sin6_addr), sin6_scope_id={scope}",
        port(bytes)?,
        Ipv6Addr::from(address)
    );
    Some(())
}

fn netlink(out: &mut String, bytes: &[u8]) -> Option<()> {
    put!(out, "nl_pid={}, nl_groups={:08x}", unsigned(bytes.get(4..8)?), unsigned(bytes.get(8..12)?));
    Some(())
}

/// `[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[4]}]`.
pub fn control(out: &mut String, bytes: &[u8]) {
    const HEADER: usize = 16;
    let mut rest = bytes;
    let messages = std::iter::from_fn(|| {
        let header = rest.get(..HEADER)?;
        let length = unsigned(&header[..8]) as usize;
        let data = rest.get(HEADER..length)?;
        // Each message is padded to a multiple of 8.
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or(&[]);
        Some((length, unsigned(&header[8..12]), unsigned(&header[12..16]), data))
    });
    list(out, messages, usize::MAX, |out, (length, level, kind, data)| {
        let of_socket = level == libc::SOL_SOCKET as u64;
        put!(out, "{{cmsg_len={length}, cmsg_level=");
        number::named(out, &network::LEVEL, level);
        out.push_str(", cmsg_type=");
        if of_socket {
            number::named(out, &network::CONTROL, kind);
        } else {
            number::decimal(out, kind);
        }
        out.push_str(", cmsg_data=");
        if of_socket && kind == libc::SCM_RIGHTS as u64 {
            list(out, data.chunks_exact(4), usize::MAX, |out, item| number::decimal(out, unsigned(item)));
        } else {
            quoted(out, data, false);
        }
        out.push('}');
    });
}
