//! read and pread64: from large files that are only read, the log keeps the place instead of the bytes.

use super::generic;
use crate::log::{self, ProgramMemory};
use crate::process;
use crate::thread::Thread;
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::event::{FileRange, Kind, Tag};
use tracer_core::session::Mode;
use tracer_core::syscalls::{self, Syscall};

/// Shorter reads are logged as data: a reference takes 48 bytes itself.
const SHORTEST: u64 = 512;

/// read(2) and pread64(2).
pub fn read(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Replay || frame.rdx < SHORTEST {
        return generic::emulate(thread, frame, syscall);
    }
    let descriptor = frame.rdi as i32;
    let Some((file, seal)) = process::get().files.reference(thread, descriptor, frame.rdx) else {
        return generic::record(thread, frame, syscall);
    };
    let arguments = frame.arguments();
    let before = syscalls::before(syscall, &arguments, &ProgramMemory);
    let (result, offset) = match syscall.number as i64 {
        libc::SYS_pread64 => (generic::perform(thread, syscall, arguments), Some(arguments[3])),
        _ => read_at_position(arguments),
    };
    match offset {
        // What was read before the seal was seen to hold is what the writer keeps.
        Some(offset) if result > 0 && seal.holds() => {
            let range = FileRange { file, offset, length: result as u64 };
            thread.items.push_copy(Tag::OutputFile, 1, arguments[1], &range.to_bytes());
        }
        _ => log::push_outputs(thread, syscall, &arguments, &before, result),
    }
    log::call(thread, Kind::Call, syscall, &arguments, result, 0);
    frame.rax = result as u64;
}

/// read(2) of a regular file, and from which offset it was; `None` if another process moved the position that they share
/// meanwhile. Threads of this process cannot: the right to run is kept, since such a read does not wait for anybody.
fn read_at_position(arguments: [u64; 6]) -> (i64, Option<u64>) {
    let before = position(arguments[0]);
    // SAFETY: it is the program's own call, on its own memory.
    let result = unsafe { raw::call(libc::SYS_read, arguments) };
    let after = position(arguments[0]);
    (result, (after - before == result).then_some(before as u64))
}

/// The file position behind `descriptor`.
fn position(descriptor: u64) -> i64 {
    // SAFETY: lseek touches no memory.
    unsafe { raw::call(libc::SYS_lseek, [descriptor, 0, libc::SEEK_CUR as u64, 0, 0, 0]) }
}
