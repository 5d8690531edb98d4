//! The data that a call moved between the program and something open, as far as the trace has it.

use super::call::{Call, long};
use std::collections::HashSet;
use tracer_core::event::{FileRange, InputSummary};
use tracer_core::trace::reader::Item;

/// Which way data went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the program.
    Read,
    /// From the program.
    Written,
}

/// Data of one call, one way.
pub struct Transfer<'a> {
    /// What it was read from or written to.
    pub descriptor: i32,
    /// Which way.
    pub direction: Direction,
    /// Where in the file; `None` where the descriptor stood.
    pub offset: Option<u64>,
    /// It was mapped, not read.
    pub mapped: bool,
    /// The data.
    pub pieces: Vec<Piece<'a>>,
}

/// A piece of memory that was filled or written.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// The bytes are in the event.
    Known(&'a [u8]),
    /// They are in a file that the trace refers to.
    File(FileRange),
    /// Only their number, hash and beginning are in the event.
    Summary(InputSummary, &'a [u8]),
    /// Only their number.
    Unknown(u64),
}

impl Piece<'_> {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Piece::Known(bytes) => bytes.len() as u64,
            Piece::File(range) => range.length,
            Piece::Summary(summary, _) => summary.length,
            Piece::Unknown(length) => *length,
        }
    }
}

impl Transfer<'_> {
    /// Bytes that were moved.
    pub fn length(&self) -> u64 {
        self.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.length()))
    }
}

/// What `call` moved.
pub fn transfers<'a>(call: &Call<'a>) -> Vec<Transfer<'a>> {
    let none = HashSet::new();
    let a = &call.arguments;
    let at = |index: usize| Some(a[index]);
    let plain = |direction, offset, excluded: &HashSet<u64>| {
        one(call, call.descriptor(0), direction, offset, pieces(call, 1, direction, excluded))
    };
    use Direction::{Read, Written};
    if !call.succeeded() {
        return Vec::new();
    }
    // Data that is only looked at comes again.
    let peeks = |flags: usize| a[flags] as i32 & libc::MSG_PEEK != 0;
    match call.number {
        libc::SYS_read => plain(Read, None, &none),
        libc::SYS_recvfrom if !peeks(3) => plain(Read, None, &none),
        libc::SYS_readv => plain(Read, None, &none),
        libc::SYS_pread64 | libc::SYS_preadv => plain(Read, at(3), &none),
        libc::SYS_preadv2 => plain(Read, position(a[3]), &none),
        libc::SYS_recvmsg if !peeks(2) => plain(Read, None, &structures(call, MESSAGE)),
        libc::SYS_recvmmsg if !peeks(3) => plain(Read, None, &structures(call, MESSAGES)),
        libc::SYS_write | libc::SYS_sendto => plain(Written, None, &none),
        libc::SYS_pwrite64 => plain(Written, at(3), &none),
        // The first thing that it reads is the list of buffers.
        libc::SYS_writev | libc::SYS_vmsplice => plain(Written, None, &HashSet::from([a[1]])),
        libc::SYS_pwritev => plain(Written, at(3), &HashSet::from([a[1]])),
        libc::SYS_pwritev2 => plain(Written, position(a[3]), &HashSet::from([a[1]])),
        libc::SYS_sendmsg => plain(Written, None, &structures(call, MESSAGE)),
        libc::SYS_sendmmsg => plain(Written, None, &structures(call, MESSAGES)),
        libc::SYS_sendfile => between(call, (1, Some(2)), (0, None)),
        libc::SYS_splice | libc::SYS_copy_file_range => between(call, (0, Some(1)), (2, Some(3))),
        // What is duplicated stays where it was.
        libc::SYS_tee => between(call, (0, None), (1, None)).into_iter().skip(1).collect(),
        libc::SYS_mmap if a[3] as i32 & libc::MAP_ANONYMOUS == 0 => {
            let pieces = pieces(call, 0, Read, &none);
            let mut mapped = one(call, call.descriptor(4), Read, at(5), pieces);
            mapped.iter_mut().for_each(|transfer| transfer.mapped = true);
            mapped
        }
        _ => Vec::new(),
    }
}

/// Bytes of a `struct msghdr` and of a `struct mmsghdr`.
const MESSAGE: u64 = 56;
const MESSAGES: u64 = 64;

/// `preadv2` and `pwritev2` take -1 for where the descriptor stands.
fn position(offset: u64) -> Option<u64> {
    (offset != u64::MAX).then_some(offset)
}

fn one<'a>(
    _call: &Call<'a>,
    descriptor: i32,
    direction: Direction,
    offset: Option<u64>,
    pieces: Vec<Piece<'a>>,
) -> Vec<Transfer<'a>> {
    if pieces.is_empty() {
        return Vec::new();
    }
    vec![Transfer { descriptor, direction, offset, mapped: false, pieces }]
}

/// The memory of argument `index` that is not at one of the addresses in `excluded`.
fn pieces<'a>(call: &Call<'a>, index: u8, direction: Direction, excluded: &HashSet<u64>) -> Vec<Piece<'a>> {
    let all = call.items.iter().filter_map(|item| {
        let (argument, address, piece, way) = match item {
            Item::Output { argument, address, bytes } => {
                (argument, address, Piece::Known(bytes), Direction::Read)
            }
            Item::OutputFile { argument, address, range } => {
                (argument, address, Piece::File(range), Direction::Read)
            }
            Item::MapFile { range, .. } => (index, 0, Piece::File(range), Direction::Read),
            Item::Input { argument, address, summary, prefix } => {
                let whole = prefix.len() as u64 == summary.length;
                let piece = if whole { Piece::Known(prefix) } else { Piece::Summary(summary, prefix) };
                (argument, address, piece, Direction::Written)
            }
            _ => return None,
        };
        (argument == index && way == direction && !excluded.contains(&address)).then_some(piece)
    });
    all.collect()
}

/// Addresses of what describes the messages that argument 1 points to: everything but their data.
fn structures(call: &Call, size: u64) -> HashSet<u64> {
    let array = call.arguments[1];
    let mut found = HashSet::new();
    for item in call.items.iter() {
        let (address, bytes) = match item {
            Item::Output { argument: 1, address, bytes } => (address, bytes),
            Item::Input { argument: 1, address, prefix, .. } => (address, prefix),
            _ => continue,
        };
        // No more than 1024 messages are taken by the kernel.
        let Some(offset) = address.checked_sub(array).filter(|offset| *offset < 1024 * size) else {
            continue;
        };
        let field = |at: usize| long(bytes, at).into_iter();
        match offset % size {
            // The peer's name, the list of buffers, the control messages.
            0 => found.extend(field(0).chain(field(16)).chain(field(32)).chain([address])),
            // What is read comes in two parts; what is written ends with the count of bytes moved.
            32 => found.extend(field(0).chain([address])),
            56 => found.extend([address]),
            _ => {}
        }
    }
    found
}

/// A call that moves bytes from one descriptor to another, each with its argument and that of a pointer to an offset.
fn between<'a>(
    call: &Call<'a>,
    (from, from_offset): (usize, Option<u8>),
    (to, to_offset): (usize, Option<u8>),
) -> Vec<Transfer<'a>> {
    let moved = u64::try_from(call.result).unwrap_or(0);
    if moved == 0 {
        return Vec::new();
    }
    let known = call.items.iter().find_map(|item| match item {
        Item::Moved { bytes } => Some(Piece::Known(bytes)),
        _ => None,
    });
    // The trace has what the offset was afterwards.
    let before = |argument: Option<u8>| Some(long(call.output(argument?)?, 0)?.wrapping_sub(moved));
    let way = |direction, descriptor, offset| {
        one(
            call,
            call.descriptor(descriptor),
            direction,
            offset,
            vec![known.unwrap_or(Piece::Unknown(moved))],
        )
    };
    let mut both = way(Direction::Read, from, before(from_offset));
    both.extend(way(Direction::Written, to, before(to_offset)));
    both
}
