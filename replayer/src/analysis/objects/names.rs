//! Paths, and names for what has no path.

use super::super::call::{Call, word};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `path` as seen from `directory`, without what changes nothing in it. What `..` leads to only the file system knows.
pub fn joined(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(directory.len() + 1 + path.len());
    if !path.starts_with(b"/") {
        whole.extend(directory);
    }
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        whole.push(b'/');
        whole.extend(part);
    }
    if whole.is_empty() { b"/".to_vec() } else { whole }
}

/// The directory that `path` is in, as its name says.
pub fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        None | Some(0) => b"/",
        Some(end) => &path[..end],
    }
}

/// A `struct sockaddr` in few words: `127.0.0.1:80`, `[::1]:80`, a path, `@abstract`.
pub fn address(bytes: &[u8]) -> Option<String> {
    let family = i32::from(u16::from_le_bytes(*bytes.first_chunk()?));
    let port = || Some(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
    Some(match family {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?);
            SocketAddr::new(IpAddr::V4(ip), port()?).to_string()
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
            SocketAddr::new(IpAddr::V6(ip), port()?).to_string()
        }
        libc::AF_UNIX => match bytes.get(2..)? {
            [] => return None,
            [0, name @ ..] => format!("@{}", name.escape_ascii()),
            path => {
                let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                String::from_utf8_lossy(&path[..end]).into_owned()
            }
        },
        libc::AF_NETLINK => format!("netlink {}", word(bytes, 4)?),
        libc::AF_UNSPEC => return None,
        other => format!("family {other}"),
    })
}

/// What a new socket is called until it has an address.
pub fn socket(call: &Call) -> String {
    let [family, kind, ..] = call.arguments;
    let family = match family as i32 {
        libc::AF_INET => "IPv4",
        libc::AF_INET6 => "IPv6",
        libc::AF_UNIX => "Unix",
        libc::AF_NETLINK => "netlink",
        libc::AF_PACKET => "packet",
        _ => "other",
    };
    let kind = match kind as i32 & 0xf {
        libc::SOCK_STREAM => "stream",
        libc::SOCK_DGRAM => "datagram",
        libc::SOCK_SEQPACKET => "packet",
        libc::SOCK_RAW => "raw",
        _ => "other",
    };
    format!("{family} {kind}")
}
