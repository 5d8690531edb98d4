//! A program's side of a session, without a program: what the preloaded library does, in the plain.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracer_core::companion::futex::SystemFutex;
use tracer_core::companion::memory::{ControlMapping, RingMapping};
use tracer_core::companion::session::ProgramDescriptors;
use tracer_core::companion::wake::ProgramSide;
use tracer_core::event::{Header, ImageIdentity, ItemHeader, Kind, Tag, padded};
use tracer_core::ring::{Consumer, Gone, Producer, Wait};
use tracer_core::session::{FileMessage, file_use, seal, slot_state};

/// A process's view of a session, as one of its threads uses it in one slot.
pub struct Program<'a> {
    pub control: &'a ControlMapping,
    pub ring: RingMapping,
    pub slot: usize,
    descriptors: &'a ProgramDescriptors,
}

impl<'a> Program<'a> {
    /// Takes up `slot`, which was reserved.
    pub fn live(
        descriptors: &'a ProgramDescriptors,
        control: &'a ControlMapping,
        slot: usize,
    ) -> Program<'a> {
        let ring = RingMapping::new(descriptors.memory.as_fd(), slot).unwrap();
        let place = &control.slots[slot];
        place.process.store(std::process::id(), Ordering::Relaxed);
        place.state.store(slot_state::LIVE, Ordering::Release);
        Program { control, ring, slot, descriptors }
    }

    pub fn side(&self) -> ProgramSide<'_, SystemFutex<'_>> {
        let futex = SystemFutex::new(Duration::from_millis(250), Some(self.descriptors.socket.as_fd()));
        ProgramSide::new(self.control, futex)
    }

    pub fn producer(&self) -> Producer {
        // SAFETY: the mappings live as long as self, and the slot is ours.
        unsafe { Producer::new(&self.control.slots[self.slot], self.ring.base()) }
    }

    pub fn consumer(&self) -> Consumer {
        // SAFETY: the mappings live as long as self, and the slot is ours.
        unsafe { Consumer::new(&self.control.slots[self.slot], self.ring.base()) }
    }

    /// Appends `bytes` to the stream.
    pub fn write(&self, producer: &mut Producer, bytes: &[u8]) -> Result<(), Gone> {
        let side = self.side();
        // SAFETY: a slice is readable.
        unsafe { producer.write(bytes.as_ptr(), bytes.len(), &side)? };
        producer.publish(&side);
        Ok(())
    }

    /// The next `length` bytes of the stream; fewer at its end.
    pub fn read(&self, consumer: &mut Consumer, length: usize) -> Vec<u8> {
        let side = self.side();
        let mut bytes = Vec::new();
        while bytes.len() < length && consumer.peek(1, &side).is_some() {
            let piece = consumer.available(1).min(length - bytes.len());
            let from = consumer.peek(piece, &side).unwrap();
            // SAFETY: peek gave `piece` readable bytes.
            bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(from, piece) });
            consumer.advance(piece, &side);
        }
        bytes
    }

    /// Ends the stream in an orderly way.
    pub fn finish(self) {
        self.control.slots[self.slot].state.store(slot_state::FINISHED, Ordering::Release);
        self.side().state_changed();
    }
}

/// Takes a free slot for a new stream, as a parent does before it creates a child; waits for one.
pub fn reserve(control: &ControlMapping) -> (usize, u32) {
    loop {
        for (index, slot) in control.slots.iter().enumerate() {
            let taken = slot.state.compare_exchange(
                slot_state::FREE,
                slot_state::TAKING,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if taken.is_ok() {
                let stream = control.next_stream.fetch_add(1, Ordering::AcqRel);
                slot.stream.store(stream, Ordering::Relaxed);
                slot.state.store(slot_state::RESERVED, Ordering::Release);
                return (index, stream);
            }
        }
        std::thread::yield_now();
    }
}

pub fn event(kind: Kind, flags: u8, number: i64, body: &[u8]) -> Vec<u8> {
    let header = Header { kind: kind as u8, flags, number: number as u16, length: body.len() as u32 };
    [&header.to_bytes()[..], body].concat()
}

pub fn item(tag: Tag, argument: u8, value: u64, data: &[u8]) -> Vec<u8> {
    let header = ItemHeader { tag: tag as u8, argument, reserved: 0, length: data.len() as u32, value };
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(ItemHeader::SIZE + padded(data.len()), 0);
    bytes
}

pub fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A call with a result, arguments and items.
pub fn call(kind: Kind, number: i64, result: i64, arguments: &[u64], items: &[u8]) -> Vec<u8> {
    let head = words(&[&[result as u64], arguments].concat());
    event(kind, arguments.len() as u8, number, &[&head, items].concat())
}

/// What a process image begins with.
pub fn start(executable: &str, arguments: &[u8], stream: u32) -> Vec<u8> {
    // The first fields: process, thread, parent, stream, stack limits; the rest does not matter here.
    let ids = [4242 + stream, 4242 + stream, 1, stream];
    let mut data: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    data.extend(words(&[8 << 20, u64::MAX]));
    data.resize(size_of::<ImageIdentity>(), 0);
    let maps = format!("1000-2000 r-xp 00000000 08:01 77 {executable}\n");
    let items = [
        item(Tag::Executable, 0, 0, executable.as_bytes()),
        item(Tag::Arguments, 0, 0, arguments),
        item(Tag::Environment, 0, 0, b"A=1\0B=2\0"),
        item(Tag::Maps, 0, 0, maps.as_bytes()),
        item(Tag::Directory, 0, 0, b"/"),
        item(Tag::Identity, 0, 0, &data),
    ];
    event(Kind::Start, 0, 0, &items.concat())
}

/// A read that returned `data`.
pub fn read_call(data: &[u8]) -> Vec<u8> {
    let items = item(Tag::Output, 1, 0x7000, data);
    call(Kind::Call, libc::SYS_read, data.len() as i64, &[3, 0x7000, data.len() as u64], &items)
}

pub fn exit_call(status: u64) -> Vec<u8> {
    call(Kind::Entry, libc::SYS_exit_group, 0, &[status], &[])
}

/// Bytes that compress badly, the same for the same seed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Sends the file at `path`, which the program in slot 0 executes, to the writer as number `file`.
pub fn send_file(descriptors: &ProgramDescriptors, file: u64, path: &std::path::Path) {
    send(descriptors, file, path, file_use::MAPPED);
}

/// Has the writer seal the file at `path` as number `file`, if it can. Returns whether it did.
pub fn seal_file(program: &Program, file: u64, path: &std::path::Path) -> bool {
    let slot = &program.control.slots[0];
    slot.seal.store(seal::PENDING, Ordering::Release);
    send(program.descriptors, file, path, file_use::SEALED);
    while slot.seal.load(Ordering::Acquire) == seal::PENDING {
        assert!(program.side().wait(slot));
    }
    slot.seal.load(Ordering::Acquire) >= seal::FIRST
}

/// Tells the writer that the program has mapped the file at `path` shared.
pub fn send_shared(descriptors: &ProgramDescriptors, path: &std::path::Path) {
    send(descriptors, 0, path, file_use::SHARED);
}

fn send(descriptors: &ProgramDescriptors, file: u64, path: &std::path::Path, mapped: u64) {
    let opened = std::fs::File::open(path).unwrap();
    let metadata = opened.metadata().unwrap();
    let modified = metadata.mtime() as u64 * 1_000_000_000 + metadata.mtime_nsec() as u64;
    let mut bytes = words(&[file, 0, metadata.dev(), metadata.ino(), metadata.size(), modified, mapped]);
    assert_eq!(bytes.len(), size_of::<FileMessage>());
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // One header and one descriptor, each padded to 8 bytes.
    let mut ancillary = [0u64; 3];
    // SAFETY: all zeros is a valid msghdr; its parts outlive the call; the control buffer has room for one
    // descriptor.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = ancillary.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&ancillary);
        let header = &mut *libc::CMSG_FIRSTHDR(&message);
        header.cmsg_level = libc::SOL_SOCKET;
        header.cmsg_type = libc::SCM_RIGHTS;
        header.cmsg_len = libc::CMSG_LEN(4) as usize;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(opened.as_raw_fd());
        assert_eq!(libc::sendmsg(descriptors.socket.as_raw_fd(), &message, 0), bytes.len() as isize);
    }
}
