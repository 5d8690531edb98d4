//! Calls that make, copy or close descriptors: ours are not there for the program, and we follow which of
//! its own are the recording's outputs.

use super::{decided, generic, refuse};
use crate::thread::Thread;
use crate::{kernel, log, output, playback, process};
use alloc::vec::Vec;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::event::{Kind, Tag, flags};
use tracer_core::session::Mode;
use tracer_core::syscalls::{Memory, Syscall};

const BAD_DESCRIPTOR: i64 = -(libc::EBADF as i64);

/// Whether `descriptor` is one of ours.
fn is_ours(descriptor: u64) -> bool {
    let process = process::get();
    let descriptor = descriptor as i32;
    descriptor >= 0 && (descriptor == process.memory || descriptor == process.socket)
}

/// close(2).
pub fn close(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if is_ours(frame.rdi) {
        return decided(thread, frame, syscall, |_, _| BAD_DESCRIPTOR);
    }
    let descriptor = frame.rdi as i32;
    process::get().files.forget(descriptor);
    process::get().outputs.close(descriptor);
    generic::emulate(thread, frame, syscall);
}

/// close_range(2): closes around ours.
pub fn close_range(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    const CLOSE_ON_EXEC: u64 = 4;
    let process = process::get();
    if process.mode == Mode::Replay {
        if frame.rdx & CLOSE_ON_EXEC == 0 {
            process.outputs.close_range(frame.rdi as u32 as usize, frame.rsi as u32 as usize);
        }
        return generic::emulate(thread, frame, syscall);
    }
    let arguments = frame.arguments();
    let (first, last) = (arguments[0] as u32 as u64, arguments[1] as u32 as u64);
    if arguments[2] & CLOSE_ON_EXEC == 0 && first <= last {
        process.files.forget_range(first as usize, last as usize);
        process.outputs.close_range(first as usize, last as usize);
    }
    let mut ours = [process.memory as u64, process.socket as u64];
    ours.sort_unstable();
    let mut result = 0;
    let mut from = first;
    for own in ours.into_iter().filter(|own| (first..=last).contains(own)).chain([last + 1]) {
        if from < own || own == last + 1 && from == first {
            // SAFETY: closes descriptors of the program, as it asked.
            result = unsafe {
                kmod_shim::arch::native::raw::call(
                    libc::SYS_close_range,
                    [from, own.wrapping_sub(1), arguments[2], 0, 0, 0],
                )
            };
            if result != 0 {
                break;
            }
        }
        from = own + 1;
    }
    super::conclude(thread, frame, syscall, &arguments, result, 0);
}

/// dup, dup2, dup3.
pub fn duplicate(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let to_target = syscall.number as i64 != libc::SYS_dup;
    if is_ours(frame.rdi) || to_target && is_ours(frame.rsi) {
        return decided(thread, frame, syscall, |_, _| BAD_DESCRIPTOR);
    }
    let original = frame.rdi as i32;
    generic::emulate(thread, frame, syscall);
    duplicated(original, frame.rax as i64);
}

fn duplicated(original: i32, copy: i64) {
    if copy >= 0 && original as i64 != copy {
        process::get().files.forget(copy as i32);
        process::get().outputs.duplicate(original, copy as i32);
    }
}

/// fcntl(2).
pub fn fcntl(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if is_ours(frame.rdi) {
        return decided(thread, frame, syscall, |_, _| BAD_DESCRIPTOR);
    }
    let (descriptor, command) = (frame.rdi as i32, frame.rsi as i32);
    generic::emulate(thread, frame, syscall);
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        duplicated(descriptor, frame.rax as i64);
    }
}

/// sendfile, splice and copy_file_range move bytes that never are in the program's memory. To one of the
/// recording's outputs they are made of reads and writes through memory of ours, so that the log has the bytes
/// that replay shows; vmsplice moves bytes of the program, as writev does. tee, which nobody uses on an
/// output, is refused there.
pub fn transfer(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Replay {
        return replay_transfer(thread, frame, syscall);
    }
    let arguments = frame.arguments();
    let [a, b, c, d, e, _] = arguments;
    let flag_of = |descriptor: u64| process::get().outputs.flag(descriptor as i32);
    let (moved, target_offset) = match syscall.number as i64 {
        libc::SYS_vmsplice => return generic::record(thread, frame, syscall),
        libc::SYS_tee if flag_of(b) != 0 => return refuse(thread, frame, syscall, libc::EINVAL, false),
        libc::SYS_tee => return generic::record(thread, frame, syscall),
        libc::SYS_sendfile => (Transfer { source: b, source_offset: c, target: a, length: d }, 0),
        _ => (Transfer { source: a, source_offset: b, target: c, length: e }, d),
    };
    match flag_of(moved.target) {
        0 => generic::record(thread, frame, syscall),
        _ if target_offset != 0 => refuse(thread, frame, syscall, libc::EINVAL, false),
        flag => record_transfer(thread, frame, syscall, &moved, flag),
    }
}

/// Bytes to be moved from a descriptor (at the offset that the word at `source_offset` holds, or at its position
/// if that is 0) to an output.
struct Transfer {
    source: u64,
    source_offset: u64,
    target: u64,
    length: u64,
}

/// Most bytes moved by one call; the callers of these calls expect less than they asked for.
const LARGEST_TRANSFER: u64 = 64 << 10;

impl Transfer {
    /// Where to read: `None` for the source's own position.
    fn offset(&self) -> Result<Option<u64>, i64> {
        match self.source_offset {
            0 => Ok(None),
            word => log::read_value::<u64>(word).map(Some).ok_or(-(libc::EFAULT as i64)),
        }
    }

    /// Reads what is to be moved.
    fn read(&self, thread: &mut Thread, offset: Option<u64>, buffer: &mut [u8]) -> i64 {
        let length = self.length.min(buffer.len() as u64);
        let address = buffer.as_mut_ptr() as u64;
        match offset {
            None => generic::sleep(thread, libc::SYS_read, [self.source, address, length, 0, 0, 0]),
            Some(offset) => {
                generic::sleep(thread, libc::SYS_pread64, [self.source, address, length, offset, 0, 0])
            }
        }
    }

    /// Of `read` bytes, `written` were taken by the target: the source's position advances by as much.
    fn advance(&self, offset: Option<u64>, read: i64, written: i64) {
        let kept = written.max(0);
        match offset {
            Some(offset) => {
                log::write_program(self.source_offset, &(offset + kept as u64).to_le_bytes());
            }
            None if kept < read => {
                // SAFETY: lseek touches no memory.
                unsafe {
                    kmod_shim::arch::native::raw::call(
                        libc::SYS_lseek,
                        [self.source, (kept - read) as u64, libc::SEEK_CUR as u64, 0, 0, 0],
                    )
                };
            }
            None => {}
        }
    }
}

fn record_transfer(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    moved: &Transfer,
    flag: u8,
) {
    let arguments = frame.arguments();
    let mut buffer = alloc::vec![0u8; LARGEST_TRANSFER as usize];
    let offset = moved.offset();
    let read = match offset {
        Ok(offset) => moved.read(thread, offset, &mut buffer),
        Err(error) => error,
    };
    let (turn, ticket) = output::begin(flag);
    let result = match read {
        1.. => generic::write_out(
            thread,
            libc::SYS_write,
            [moved.target, buffer.as_ptr() as u64, read as u64, 0, 0, 0],
        ),
        _ => read,
    };
    drop(turn);
    if let (Ok(offset), 1..) = (offset, read) {
        moved.advance(offset, read, result);
    }
    thread.items.clear();
    if result > 0 && moved.source_offset != 0 {
        let word = moved.source_offset;
        thread.items.push(Tag::Output, 0, word, word as *const u8, size_of::<u64>());
    }
    if result > 0 {
        thread.items.push(Tag::Moved, 0, 0, buffer.as_ptr(), result as usize);
    }
    thread.items.push(Tag::Ticket, 0, ticket, core::ptr::null(), 0);
    log::call(thread, Kind::Call, syscall, &arguments, result, flag);
    frame.rax = result as u64;
}

/// Which way it went is in the log: after an exec, replay does not follow which descriptors are outputs.
fn replay_transfer(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if syscall.number as i64 == libc::SYS_vmsplice {
        return generic::emulate(thread, frame, syscall);
    }
    let (mut bytes, mut ticket) = (Vec::new(), None);
    let arguments = frame.arguments();
    let outcome = playback::outcome(thread, Kind::Call, syscall, &arguments);
    playback::items(thread, syscall, outcome.items, |thread, item| {
        if item.tag == Tag::Moved as u8 {
            bytes = alloc::vec![0u8; item.length as usize];
            playback::body(thread, &mut bytes);
        } else if item.tag == Tag::Ticket as u8 {
            ticket = Some(item.value);
        } else {
            generic::ignore_item(thread, item);
        }
    });
    let flag = outcome.flags & (flags::STDOUT | flags::STDERR);
    if flag != 0 {
        let written = [0, bytes.as_ptr() as u64, bytes.len() as u64, 0, 0, 0];
        output::reproduce(libc::SYS_write as u16, &written, bytes.len() as i64, flag, ticket);
    }
    generic::finish(frame, outcome.result, outcome.flags & flags::RESTART != 0);
}

/// getdents64(2): /proc/self/fd does not show our descriptors.
pub fn list(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Replay {
        return generic::emulate(thread, frame, syscall);
    }
    let [descriptor, address, ..] = frame.arguments();
    generic::record_after(thread, frame, syscall, |result| {
        if *result > 0 {
            hide_ours(descriptor as i32, address, result);
        }
    });
}

/// Removes the entries that name our descriptors from a listing of /proc/self/fd or its like.
fn hide_ours(descriptor: i32, address: u64, result: &mut i64) {
    const LENGTH: u64 = 16;
    const NAME: u64 = 19;
    let process = process::get();
    let ours = [process.memory, process.socket].map(|own| alloc::format!("{own}\0"));
    let mut checked = false;
    let mut at = 0u64;
    while at < *result as u64 {
        let entry = address + at;
        let Some(length) = log::read_value::<u16>(entry + LENGTH).filter(|length| *length > 0) else {
            return;
        };
        let is_ours = ours.iter().any(|name| {
            let mut there = [0u8; 12];
            let there = &mut there[..name.len()];
            log::ProgramMemory.read(entry + NAME, there) && there == name.as_bytes()
        });
        if !is_ours {
            at += length as u64;
            continue;
        }
        if !checked && !lists_descriptors(descriptor) {
            return;
        }
        checked = true;
        let rest = entry + length as u64;
        let left = address + *result as u64 - rest;
        // SAFETY: the kernel has just written [address, address + result) there.
        unsafe { core::ptr::copy(rest as *const u8, entry as *mut u8, left as usize) };
        *result -= length as i64;
    }
}

/// Whether the directory is the /proc/N/fd or fdinfo of some process.
fn lists_descriptors(descriptor: i32) -> bool {
    let (mut name, mut path) = ([0u8; 40], [0u8; 64]);
    kernel::read_link(kernel::descriptor_path(descriptor, &mut name), &mut path).is_ok_and(|path| {
        path.starts_with(b"/proc/") && (path.ends_with(b"/fd") || path.ends_with(b"/fdinfo"))
    })
}
