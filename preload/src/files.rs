//! Files kept by reference: what the program reads from a large file that only it reads is logged as "these
//! bytes of that file".
//!
//! That is right only if the file does not change between the read and the moment when the trace has all it needs of
//! it. The writer sees to that with a *seal*, and takes the seal away before it lets anybody write to the file: so after
//! each read a look at the seal tells whether the reference holds; else the bytes are logged.

use crate::{kernel, process, thread::ProgramWait, thread::Thread};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use tracer_core::event::{FileRange, Tag};
use tracer_core::ring::Wait;
use tracer_core::session::{FileMessage, file_key, file_use, seal};
use tracer_core::trace::files::is_installed;

/// Descriptors whose state is remembered; beyond, everything is logged as data.
const DESCRIPTORS: usize = 4096;
/// Smaller files are logged as data: the message to the writer and its bookkeeping cost more.
const SMALLEST: i64 = 1 << 20;
/// Bytes that are read as data through each descriptor, before the file is kept: most programs that read less look at its
/// first bytes, and the whole file would be copied when they open it again to write to it.
const READ_AS_DATA: u64 = 256 << 10;

/// What is known of a descriptor.
#[derive(Clone, Copy)]
enum State {
    Unknown,
    /// Log data.
    Plain,
    /// Of a file that can perhaps be referred to, from which so many bytes were read.
    Counting(u32),
    /// Index in `known`.
    File(u32),
}

/// A file that the writer was told of.
struct Known {
    message: FileMessage,
    /// `None` if it is referred to without.
    seal: Option<Seal>,
}

/// What tells whether a file can still be referred to.
#[derive(Clone, Copy)]
pub struct Seal {
    place: u32,
    value: u32,
}

impl Seal {
    /// Whether nobody could have written to the file so far.
    #[inline]
    pub fn holds(self) -> bool {
        process::control().seals[self.place as usize].load(Ordering::Acquire) == self.value
    }
}

/// What is known of each descriptor, and the files met so far.
pub struct Files {
    descriptors: Vec<State>,
    known: Vec<Known>,
}

impl Files {
    /// Nothing known.
    pub fn new() -> Files {
        Files { descriptors: alloc::vec![State::Unknown; DESCRIPTORS], known: Vec::new() }
    }

    /// A descriptor has been closed or replaced.
    #[inline]
    pub fn forget(&mut self, descriptor: i32) {
        if let Some(state) = self.descriptors.get_mut(descriptor as usize) {
            *state = State::Unknown;
        }
    }

    /// All descriptors from `first` to `last` have been closed.
    pub fn forget_range(&mut self, first: usize, last: usize) {
        let end = last.saturating_add(1).min(DESCRIPTORS);
        if first < end {
            self.descriptors[first..end].fill(State::Unknown);
        }
    }

    /// The number of the file behind `descriptor` if the `length` bytes that are about to be read from it can be logged
    /// by reference, provided that the seal still holds afterwards.
    #[inline]
    pub fn reference(&mut self, thread: &Thread, descriptor: i32, length: u64) -> Option<(u64, Seal)> {
        match *self.descriptors.get(descriptor as usize)? {
            State::Plain => None,
            State::File(index) => {
                let Known { message, seal } = &self.known[index as usize];
                let seal = seal.filter(|seal| seal.holds());
                if seal.is_none() {
                    self.descriptors[descriptor as usize] = State::Plain;
                }
                seal.map(|seal| (message.file, seal))
            }
            State::Counting(read) => self.count(thread, descriptor, u64::from(read) + length),
            State::Unknown => match can_be_referred_to(descriptor) {
                Some(_) => self.count(thread, descriptor, length),
                None => {
                    self.descriptors[descriptor as usize] = State::Plain;
                    None
                }
            },
        }
    }

    /// `read` bytes have been asked for through the descriptor.
    #[cold]
    fn count(&mut self, thread: &Thread, descriptor: i32, read: u64) -> Option<(u64, Seal)> {
        let state = &mut self.descriptors[descriptor as usize];
        if read <= READ_AS_DATA {
            *state = State::Counting(read as u32);
            return None;
        }
        *state = State::Plain;
        let status = can_be_referred_to(descriptor)?;
        let index = self.register_sealed(thread, descriptor, &status)?;
        self.descriptors[descriptor as usize] = State::File(index as u32);
        let Known { message, seal } = &self.known[index];
        seal.map(|seal| (message.file, seal))
    }

    /// The index of a file that nobody writes to, and which the writer keeps; `None` if that cannot be had.
    pub fn register_sealed(
        &mut self,
        thread: &Thread,
        descriptor: i32,
        status: &libc::stat,
    ) -> Option<usize> {
        // A file that was written once while we referred to it will be again; each time it would have to be copied.
        let mut met = self.known.iter().enumerate().filter(|(_, known)| {
            let of_same = (known.message.device, known.message.inode) == (status.st_dev, status.st_ino);
            of_same && known.seal.is_some()
        });
        if let Some((index, known)) = met.next() {
            return known.seal.is_some_and(Seal::holds).then_some(index);
        }
        let message = FileMessage { file: next_file(), ..message(thread, status, file_use::SEALED) };
        let slot = &process::control().slots[thread.slot];
        slot.seal.store(seal::PENDING, Ordering::Release);
        send(&message, descriptor).ok()?;
        let answer = loop {
            match slot.seal.load(Ordering::Acquire) {
                // False if the writer has gone.
                seal::PENDING if ProgramWait.wait(slot) => {}
                answer => break answer,
            }
        };
        let place = answer.checked_sub(seal::FIRST)?;
        let seal = Some(Seal { place, value: slot.seal_value.load(Ordering::Relaxed) });
        self.known.push(Known { message, seal });
        Some(self.known.len() - 1)
    }

    /// The index of a file that is executed or belongs to the installed system; the writer is told of it when it is new.
    pub fn register(&mut self, thread: &Thread, descriptor: i32, status: &libc::stat) -> Option<usize> {
        let new = message(thread, status, file_use::MAPPED);
        let same = |Known { message: known, seal }: &Known| {
            seal.is_none()
                && (known.device, known.inode) == (new.device, new.inode)
                && (known.size, known.modified) == (new.size, new.modified)
        };
        if let Some(index) = self.known.iter().position(same) {
            return Some(index);
        }
        let message = FileMessage { file: next_file(), ..new };
        send(&message, descriptor).ok()?;
        self.known.push(Known { message, seal: None });
        Some(self.known.len() - 1)
    }

    /// As [`Files::push_program`], for the program at `path`. That what belongs to the installed system is there is
    /// remembered in the session, for all processes that execute it: to ask where a descriptor leads is dear.
    pub fn push_executed(&mut self, thread: &mut Thread, path: &[u8], descriptor: i32, status: &libc::stat) {
        let searches = &process::control().searches;
        let key = file_key(&[b"executed", path], status, &[]);
        if searches.find(key).is_some() {
            return;
        }
        if self.push_program(thread, descriptor) {
            searches.add(key, &[], 0);
        }
    }

    /// Adds to the event that the program that is open as `descriptor` is executed, and has the writer keep it:
    /// by the time of a replay it may be gone. What belongs to the installed system is not kept; true for that.
    pub fn push_program(&mut self, thread: &mut Thread, descriptor: i32) -> bool {
        let (mut name, mut path) = ([0u8; 40], [0u8; 4096]);
        let path = kernel::read_link(kernel::descriptor_path(descriptor, &mut name), &mut path);
        let (Ok(path), Ok(status)) = (path, kernel::status(descriptor)) else { return false };
        if is_installed(path) {
            return true;
        }
        if let Some(index) = self.register(thread, descriptor, &status) {
            let range = FileRange { file: self.number(index), offset: 0, length: status.st_size as u64 };
            thread.items.push_copy(Tag::MapFile, 0, range.file, &range.to_bytes());
        }
        false
    }

    /// The number of a registered file.
    pub fn number(&self, index: usize) -> u64 {
        self.known[index].message.file
    }
}

/// The status of the file behind `descriptor` if it is large and open for reading only.
fn can_be_referred_to(descriptor: i32) -> Option<libc::stat> {
    let status = kernel::status(descriptor).ok()?;
    if status.st_mode & libc::S_IFMT != libc::S_IFREG || status.st_size < SMALLEST {
        return None;
    }
    // SAFETY: F_GETFL touches no memory.
    let flags =
        unsafe { kernel::call(libc::SYS_fcntl, [descriptor as u64, libc::F_GETFL as u64, 0, 0, 0, 0]) }
            .ok()?;
    (flags as i32 & libc::O_ACCMODE == libc::O_RDONLY).then_some(status)
}

fn next_file() -> u64 {
    process::control().next_file.fetch_add(1, Ordering::Relaxed) as u64
}

/// What the writer is told of a file, with the number 0.
fn message(thread: &Thread, status: &libc::stat, mapped: u64) -> FileMessage {
    FileMessage {
        file: 0,
        slot: thread.slot as u64,
        device: status.st_dev,
        inode: status.st_ino,
        size: status.st_size as u64,
        modified: (status.st_mtime as u64).wrapping_mul(1_000_000_000) + status.st_mtime_nsec as u64,
        mapped,
    }
}

/// Gives the companion a descriptor of the file.
pub fn send(message: &FileMessage, descriptor: i32) -> Result<(), kernel::Errno> {
    #[repr(C)]
    struct Rights {
        header: libc::cmsghdr,
        descriptor: i32,
        padding: i32,
    }
    let mut rights = Rights {
        header: libc::cmsghdr {
            cmsg_len: size_of::<libc::cmsghdr>() + size_of::<i32>(),
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        },
        descriptor,
        padding: 0,
    };
    let mut vector = libc::iovec {
        iov_base: (message as *const FileMessage).cast_mut().cast(),
        iov_len: size_of::<FileMessage>(),
    };
    // SAFETY: all-zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_iov = &mut vector;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut rights).cast();
    header.msg_controllen = size_of::<Rights>();
    loop {
        let socket = process::get().socket as u64;
        // SAFETY: every pointer in the header is valid for the call.
        let sent = unsafe {
            kernel::call(
                libc::SYS_sendmsg,
                [socket, &raw const header as u64, libc::MSG_NOSIGNAL as u64, 0, 0, 0],
            )
        };
        if sent != Err(libc::EINTR) {
            return sent.map(drop);
        }
    }
}
