//! Recording: calls that change a file that is mapped.

use super::contents::{push_change, status_flags};
use super::mapped::{self, Identity};
use super::names;
use crate::log::read_value;
use crate::thread::Thread;
use crate::{kernel, order, process};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use tracer_core::event::{FileChange, Tag};
use tracer_core::session::Mode;
use tracer_core::syscalls::{self, Syscall};

/// ioctl commands of `linux/fs.h`.
const FICLONE: u64 = 0x4004_9409;
const FICLONERANGE: u64 = 0x4020_940d;
/// Flags of pwritev2.
const RWF_APPEND: u64 = 0x10;
const RWF_NOAPPEND: u64 = 0x20;

/// Where a call's new bytes are.
enum Source {
    /// At this address.
    Memory(u64),
    /// Where these vectors say.
    Vectors(u64),
    /// In another file.
    File,
    /// They are zeros.
    Zeros,
}

/// What a call did to a file.
struct Effect {
    offset: u64,
    length: u64,
    source: Source,
}

impl Effect {
    const SIZE_ONLY: Effect = Effect { offset: 0, length: 0, source: Source::Zeros };
}

/// Why a call must fail, because what it did to a mapped file could not be followed. All of them may fail so on
/// some file system, and their callers have other ways.
#[inline]
pub fn refusal(syscall: &Syscall, arguments: &[u64; 6]) -> Option<i32> {
    if mapped::any() && process::get().mode == Mode::Record { unfollowable(syscall, arguments) } else { None }
}

fn unfollowable(syscall: &Syscall, arguments: &[u64; 6]) -> Option<i32> {
    let moves = (libc::FALLOC_FL_COLLAPSE_RANGE | libc::FALLOC_FL_INSERT_RANGE) as u64;
    let (descriptor, error) = match syscall.number as i64 {
        libc::SYS_fallocate if arguments[1] & moves != 0 => (arguments[0] as i32, libc::EOPNOTSUPP),
        libc::SYS_ioctl if matches!(arguments[1], FICLONE | FICLONERANGE) => {
            (arguments[0] as i32, libc::EOPNOTSUPP)
        }
        libc::SYS_sendfile | libc::SYS_splice | libc::SYS_copy_file_range => {
            let target = syscalls::written_descriptor(syscall, arguments)?;
            // What cannot be read back afterwards.
            (status_flags(target) & libc::O_ACCMODE == libc::O_WRONLY).then_some((target, libc::EINVAL))?
        }
        _ => return None,
    };
    number_of(&kernel::status(descriptor).ok()?).map(|_| error)
}

/// The number of the file if it is mapped, here or (shared) in another process.
fn number_of(status: &libc::stat) -> Option<u64> {
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return None;
    }
    let identity = Identity::Inode { device: status.st_dev, inode: status.st_ino };
    if let Some(file) = mapped::get().find(identity) {
        return Some(file.number);
    }
    // The table is used by those who have the right to run in the shared domain only.
    let number = order::shares().then(|| names::find(identity)).flatten()?;
    Some(mapped::get().number_of_shared(identity, status.st_size as u64)).filter(|known| *known == number)
}

/// Whether the call changes a file that processes share.
pub fn reaches_shared(syscall: &Syscall, arguments: &[u64; 6]) -> bool {
    let descriptor = match syscall.number as i64 {
        libc::SYS_ftruncate | libc::SYS_fallocate => Some(arguments[0] as i32),
        _ => syscalls::written_descriptor(syscall, arguments),
    };
    descriptor.and_then(|descriptor| kernel::status(descriptor).ok()).is_some_and(|status| {
        names::find(Identity::Inode { device: status.st_dev, inode: status.st_ino }).is_some()
    })
}

/// Adds what the call, which came back with `result`, has done to a mapped file.
pub fn push(thread: &mut Thread, syscall: &Syscall, arguments: &[u64; 6], result: i64) {
    if result < 0 {
        return;
    }
    let Some((descriptor, status)) = target(syscall, arguments, result) else { return };
    let Some(number) = number_of(&status) else { return };
    let Some(file) = mapped::get().file(number) else { return };
    let size = status.st_size as u64;
    let old_size = core::mem::replace(&mut file.size, size);
    if file.by_reference {
        return complain();
    }
    let effect = effect(syscall, arguments, result, descriptor, &status);
    // What is mapped elsewhere shows who knows which part.
    let visible = if file.named && order::shares() { 0..u64::MAX } else { mapped::get().visible(number) };
    let start = effect.offset.max(visible.start);
    let changed = start..(effect.offset + effect.length).min(visible.end).max(start);
    if changed.is_empty() && size == old_size {
        return;
    }
    let whole = FileChange { size, offset: changed.start, length: changed.end - changed.start, source: 0 };
    let only_size = FileChange { length: 0, ..whole };
    match effect.source {
        _ if changed.is_empty() => push_change(thread, number, only_size),
        Source::Zeros => push_change(thread, number, whole),
        Source::Memory(address) => {
            let source = address + (changed.start - effect.offset);
            push_change(thread, number, FileChange { source, ..whole });
        }
        Source::Vectors(vectors) => push_vectors(thread, number, vectors, &effect, &changed, size),
        Source::File => {
            push_change(thread, number, only_size);
            push_read_back(thread, descriptor, changed);
        }
    }
}

/// Adds a change for each piece of a vector that lies in the part that is mapped.
fn push_vectors(
    thread: &mut Thread,
    number: u64,
    vectors: u64,
    effect: &Effect,
    changed: &Range<u64>,
    size: u64,
) {
    let (mut offset, end) = (effect.offset, effect.offset + effect.length);
    for index in 0.. {
        let Some([base, length]) = read_value::<[u64; 2]>(vectors + 16 * index).filter(|_| offset < end)
        else {
            return;
        };
        let piece_end = offset.saturating_add(length).min(end);
        let start = offset.max(changed.start);
        let stop = piece_end.min(changed.end);
        if start < stop {
            let source = base + (start - offset);
            push_change(thread, number, FileChange { size, offset: start, length: stop - start, source });
        }
        offset = piece_end;
    }
}

/// What was read back from files, until it is logged.
struct ReadBack(UnsafeCell<Vec<u8>>);

// SAFETY: only the thread that has the right to run uses it, between a call's end and its event.
unsafe impl Sync for ReadBack {}

static READ_BACK: ReadBack = ReadBack(UnsafeCell::new(Vec::new()));

fn push_read_back(thread: &mut Thread, descriptor: i32, range: Range<u64>) {
    // SAFETY: the last event that used the buffer has been logged.
    let buffer = unsafe { &mut *READ_BACK.0.get() };
    buffer.clear();
    buffer.resize((range.end - range.start) as usize, 0);
    let arguments = [descriptor as u64, buffer.as_mut_ptr() as u64, buffer.len() as u64, range.start, 0, 0];
    // SAFETY: the buffer is valid and writable.
    let read = unsafe { kernel::call(libc::SYS_pread64, arguments) }.unwrap_or(0) as usize;
    thread.items.push(Tag::FileBytes, 0, range.start, buffer.as_ptr(), read);
}

/// The file that the call may have changed: a descriptor of it, if there is one, and its status now.
fn target(syscall: &Syscall, arguments: &[u64; 6], result: i64) -> Option<(i32, libc::stat)> {
    let truncates = |flags: u64| flags & libc::O_TRUNC as u64 != 0;
    let descriptor = match syscall.number as i64 {
        libc::SYS_truncate => {
            let mut status = core::mem::MaybeUninit::<libc::stat>::uninit();
            // SAFETY: the path was good for the program's own call; the kernel fills the structure.
            let status = unsafe {
                let place = status.as_mut_ptr() as u64;
                kernel::call(libc::SYS_stat, [arguments[0], place, 0, 0, 0, 0]).ok()?;
                status.assume_init()
            };
            return Some((-1, status));
        }
        libc::SYS_ftruncate | libc::SYS_fallocate => arguments[0] as i32,
        libc::SYS_open if truncates(arguments[1]) => result as i32,
        libc::SYS_openat if truncates(arguments[2]) => result as i32,
        libc::SYS_openat2 if read_value::<u64>(arguments[2]).is_some_and(truncates) => result as i32,
        libc::SYS_creat => result as i32,
        _ => syscalls::written_descriptor(syscall, arguments)?,
    };
    Some((descriptor, kernel::status(descriptor).ok()?))
}

fn effect(
    syscall: &Syscall,
    arguments: &[u64; 6],
    result: i64,
    descriptor: i32,
    status: &libc::stat,
) -> Effect {
    let length = result as u64;
    let before_position = || position(descriptor).saturating_sub(length);
    // O_APPEND also rules over the offset of pwrite (pwrite(2), BUGS).
    let append = status_flags(descriptor) & libc::O_APPEND != 0;
    let at = |offset: u64, append: bool| if append { status.st_size as u64 - length } else { offset };
    match syscall.number as i64 {
        libc::SYS_write => Effect { offset: before_position(), length, source: Source::Memory(arguments[1]) },
        libc::SYS_writev => {
            Effect { offset: before_position(), length, source: Source::Vectors(arguments[1]) }
        }
        libc::SYS_pwrite64 => {
            Effect { offset: at(arguments[3], append), length, source: Source::Memory(arguments[1]) }
        }
        libc::SYS_pwritev => {
            Effect { offset: at(arguments[3], append), length, source: Source::Vectors(arguments[1]) }
        }
        libc::SYS_pwritev2 => {
            let append = append && arguments[5] & RWF_NOAPPEND == 0 || arguments[5] & RWF_APPEND != 0;
            let offset = if arguments[3] == u64::MAX { before_position() } else { at(arguments[3], append) };
            Effect { offset, length, source: Source::Vectors(arguments[1]) }
        }
        libc::SYS_sendfile => Effect { offset: before_position(), length, source: Source::File },
        libc::SYS_splice | libc::SYS_copy_file_range => {
            let offset = match arguments[3] {
                0 => before_position(),
                pointer => read_value::<u64>(pointer).unwrap_or(0).saturating_sub(length),
            };
            Effect { offset, length, source: Source::File }
        }
        libc::SYS_fallocate => {
            let zeroes = (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE) as u64;
            match arguments[1] & zeroes {
                0 => Effect::SIZE_ONLY,
                _ => Effect { offset: arguments[2], length: arguments[3], source: Source::Zeros },
            }
        }
        _ => Effect::SIZE_ONLY,
    }
}

/// The file position behind `descriptor`.
fn position(descriptor: i32) -> u64 {
    // SAFETY: lseek touches no memory.
    unsafe { kernel::call(libc::SYS_lseek, [descriptor as u64, 0, libc::SEEK_CUR as u64, 0, 0, 0]) }
        .unwrap_or(0)
}

fn complain() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        kernel::complain(&[b"the program writes to a large file while it has it mapped from a read-only \
descriptor; a replay will not see that in the mapping and may end with a divergence"]);
    }
}
