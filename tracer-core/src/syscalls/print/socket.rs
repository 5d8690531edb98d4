//! Socket addresses and control messages.

use super::super::names::network;
use super::bytes::quoted;
use super::layout::unsigned;
use super::number;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A `struct sockaddr` of whatever family: `{sa_family=AF_INET, sin_port=htons(80), ...}`.
pub fn address(bytes: &[u8]) -> String {
    let Some(family) = bytes.get(..2).map(unsigned) else { return quoted(bytes, false) };
    let inner = match family as i32 {
        libc::AF_UNIX => unix(&bytes[2..]),
        libc::AF_INET => internet(bytes),
        libc::AF_INET6 => internet6(bytes),
        libc::AF_NETLINK => netlink(bytes),
        _ => None,
    };
    let inner = inner.unwrap_or_else(|| format!("sa_data={}", quoted(&bytes[2..], false)));
    format!("{{sa_family={}, {inner}}}", number::named(&network::FAMILY, family))
}

fn unix(path: &[u8]) -> Option<String> {
    Some(match path.split_first() {
        None => return None,
        // An abstract name: everything counts, NULs too.
        Some((0, rest)) if !rest.is_empty() && rest[0] != 0 => format!("sun_path=@{}", quoted(rest, false)),
        _ => {
            let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
            format!("sun_path={}", quoted(&path[..end], false))
        }
    })
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))
}

fn internet(bytes: &[u8]) -> Option<String> {
    let address: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    Some(format!("sin_port=htons({}), sin_addr=inet_addr(\"{}\")", port(bytes)?, Ipv4Addr::from(address)))
}

fn internet6(bytes: &[u8]) -> Option<String> {
    let address: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    let scope = bytes.get(24..28).map_or(0, unsigned);
    Some(format!(
        "sin6_port=htons({}), inet_pton(AF_INET6, \"{}\", &sin6_addr), sin6_scope_id={scope}",
        port(bytes)?,
        Ipv6Addr::from(address)
    ))
}

fn netlink(bytes: &[u8]) -> Option<String> {
    Some(format!("nl_pid={}, nl_groups={:08x}", unsigned(bytes.get(4..8)?), unsigned(bytes.get(8..12)?)))
}

/// `[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[4]}]`.
pub fn control(bytes: &[u8]) -> String {
    const HEADER: usize = 16;
    let mut messages = Vec::new();
    let mut rest = bytes;
    while let Some(header) = rest.get(..HEADER) {
        let length = unsigned(&header[..8]) as usize;
        let Some(data) = rest.get(HEADER..length) else { break };
        let (level, kind) = (unsigned(&header[8..12]), unsigned(&header[12..16]));
        let of_socket = level == libc::SOL_SOCKET as u64;
        let kind_name = if of_socket { number::named(&network::CONTROL, kind) } else { kind.to_string() };
        let data = if of_socket && kind == libc::SCM_RIGHTS as u64 {
            let descriptors: Vec<String> =
                data.chunks_exact(4).map(|item| unsigned(item).to_string()).collect();
            format!("[{}]", descriptors.join(", "))
        } else {
            quoted(data, false)
        };
        messages.push(format!(
            "{{cmsg_len={length}, cmsg_level={}, cmsg_type={kind_name}, cmsg_data={data}}}",
            number::named(&network::LEVEL, level)
        ));
        // Each message is padded to a multiple of 8.
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or(&[]);
    }
    format!("[{}]", messages.join(", "))
}
