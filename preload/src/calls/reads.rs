//! read and pread64: from large files that are only read, the log keeps the place instead of the bytes.

use super::generic;
use crate::log;
use crate::process;
use crate::thread::Thread;
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::event::{FileRange, Kind, Tag};
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

/// Shorter reads are logged as data: a reference takes 48 bytes itself.
const SHORTEST: u64 = 512;

/// read(2) and pread64(2).
pub fn read(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Replay || frame.rdx < SHORTEST {
        return generic::emulate(thread, frame, syscall);
    }
    let descriptor = frame.rdi as i32;
    let Some(file) = process::get().files.reference(thread, descriptor) else {
        return generic::record(thread, frame, syscall);
    };
    let arguments = frame.arguments();
    let result = generic::perform(thread, syscall, arguments);
    if result > 0 {
        let offset = match syscall.number as i64 {
            libc::SYS_pread64 => arguments[3],
            _ => position(descriptor) - result as u64,
        };
        let range = FileRange { file, offset, length: result as u64 };
        // SAFETY: FileRange is three u64, without padding.
        let bytes = unsafe { core::mem::transmute::<FileRange, [u8; size_of::<FileRange>()]>(range) };
        thread.items.push_copy(Tag::OutputFile, 1, arguments[1], &bytes);
    }
    log::call(thread, Kind::Call, syscall, &arguments, result, 0);
    frame.rax = result as u64;
}

/// The file position behind `descriptor`.
fn position(descriptor: i32) -> u64 {
    // SAFETY: lseek touches no memory; it succeeds on a regular file that was just read.
    unsafe { raw::call(libc::SYS_lseek, [descriptor as u64, 0, libc::SEEK_CUR as u64, 0, 0, 0]) as u64 }
}
