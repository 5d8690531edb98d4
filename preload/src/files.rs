//! Files kept by reference: what the program reads from a large file that it only reads is logged as "these
//! bytes of that file".

use crate::{kernel, process, thread::Thread};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use tracer_core::event::{FileRange, Tag};
use tracer_core::session::FileMessage;
use tracer_core::trace::files::is_installed;
use xxhash_rust::xxh3::xxh3_128;

/// Descriptors whose state is remembered; beyond, everything is logged as data.
const DESCRIPTORS: usize = 4096;
/// Smaller files are logged as data: the message to the writer and its bookkeeping cost more.
const SMALLEST: i64 = 1 << 20;

const UNKNOWN: u32 = 0;
const PLAIN: u32 = 1;
const FIRST_FILE: u32 = 2;

/// What is known of each descriptor, and the files met so far.
pub struct Files {
    /// UNKNOWN, PLAIN (log data), or FIRST_FILE + index in `known`.
    descriptors: Vec<u32>,
    known: Vec<FileMessage>,
}

impl Files {
    /// Nothing known.
    pub fn new() -> Files {
        Files { descriptors: alloc::vec![UNKNOWN; DESCRIPTORS], known: Vec::new() }
    }

    /// A descriptor has been closed or replaced.
    #[inline]
    pub fn forget(&mut self, descriptor: i32) {
        if let Some(state) = self.descriptors.get_mut(descriptor as usize) {
            *state = UNKNOWN;
        }
    }

    /// All descriptors from `first` to `last` have been closed.
    pub fn forget_range(&mut self, first: usize, last: usize) {
        let end = last.saturating_add(1).min(DESCRIPTORS);
        if first < end {
            self.descriptors[first..end].fill(UNKNOWN);
        }
    }

    /// The number of the file behind `descriptor` if what is read from it can be logged by reference.
    #[inline]
    pub fn reference(&mut self, thread: &Thread, descriptor: i32) -> Option<u64> {
        match *self.descriptors.get(descriptor as usize)? {
            PLAIN => None,
            UNKNOWN => self.examine(thread, descriptor),
            state => Some(self.known[(state - FIRST_FILE) as usize].file),
        }
    }

    #[cold]
    fn examine(&mut self, thread: &Thread, descriptor: i32) -> Option<u64> {
        let number = self.examine_status(thread, descriptor);
        self.descriptors[descriptor as usize] = number.map_or(PLAIN, |index| index as u32 + FIRST_FILE);
        number.map(|index| self.known[index].file)
    }

    fn examine_status(&mut self, thread: &Thread, descriptor: i32) -> Option<usize> {
        let status = kernel::status(descriptor).ok()?;
        if status.st_mode & libc::S_IFMT != libc::S_IFREG || status.st_size < SMALLEST {
            return None;
        }
        // SAFETY: F_GETFL touches no memory.
        let flags =
            unsafe { kernel::call(libc::SYS_fcntl, [descriptor as u64, libc::F_GETFL as u64, 0, 0, 0, 0]) }
                .ok()?;
        if flags as i32 & libc::O_ACCMODE != libc::O_RDONLY {
            return None;
        }
        self.register(thread, descriptor, &status, false)
    }

    /// The index of the file, which the writer is told of when it is new.
    pub fn register(
        &mut self,
        thread: &Thread,
        descriptor: i32,
        status: &libc::stat,
        mapped: bool,
    ) -> Option<usize> {
        let modified = (status.st_mtime as u64).wrapping_mul(1_000_000_000) + status.st_mtime_nsec as u64;
        let same = |known: &FileMessage| {
            known.device == status.st_dev
                && known.inode == status.st_ino
                && known.size == status.st_size as u64
                && known.modified == modified
        };
        if let Some(index) = self.known.iter().position(same) {
            return Some(index);
        }
        let message = FileMessage {
            file: process::control().next_file.fetch_add(1, Ordering::Relaxed) as u64,
            stream: thread.stream as u64,
            device: status.st_dev,
            inode: status.st_ino,
            size: status.st_size as u64,
            modified,
            mapped: mapped as u64,
        };
        send(&message, descriptor).ok()?;
        self.known.push(message);
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
            searches.add(key, Some(&[]));
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
        if let Some(index) = self.register(thread, descriptor, &status, true) {
            let range = FileRange { file: self.number(index), offset: 0, length: status.st_size as u64 };
            // SAFETY: FileRange is three u64, without padding.
            let bytes = unsafe { core::mem::transmute::<FileRange, [u8; size_of::<FileRange>()]>(range) };
            thread.items.push_copy(Tag::MapFile, 0, range.file, &bytes);
        }
        false
    }

    /// The number of a registered file.
    pub fn number(&self, index: usize) -> u64 {
        self.known[index].file
    }
}

/// A number for a file as it is now, which no other file and no changed one has, for what is remembered of it.
pub fn file_key(names: &[&[u8]], status: &libc::stat, more: &[u64]) -> u128 {
    let mut identity = Vec::with_capacity(512);
    for name in names {
        identity.extend_from_slice(name);
        identity.push(0);
    }
    let words = [
        status.st_dev,
        status.st_ino,
        status.st_size as u64,
        status.st_mtime as u64,
        status.st_mtime_nsec as u64,
        status.st_ctime as u64,
        status.st_ctime_nsec as u64,
    ];
    words.iter().chain(more).for_each(|word| identity.extend_from_slice(&word.to_le_bytes()));
    xxh3_128(&identity)
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
