//! libc's streams: `FILE`s, each with a lock that its owner can take again.

use super::Own;
use crate::order::objects::engine::{self, Subject};
use crate::order::objects::original::Original;
use crate::order::objects::rows::Row;
use crate::order::sections;
use crate::thread;
use crate::{kernel, log};
use core::sync::atomic::{AtomicU64, Ordering};
use tracer_core::event::Operation;

/// Offsets in glibc's FILE (libio/bits/types/struct_FILE.h), and in what it has for wide characters (libio/libio.h).
const WRITE_BASE: u64 = 32;
const WRITE_POINTER: u64 = 40;
const WIDE_DATA: u64 = 160;
const WIDE_WRITE_BASE: u64 = 24;
const WIDE_WRITE_POINTER: u64 = 32;
/// In a stream's flags: the program has locks of its own, or does without (libio/libio.h).
const USER_LOCK: u64 = 0x8000;
/// How often who exits looks at the lock of a stream before it gives up: whoever has it may sleep.
const LAST_LOOKS: usize = 1000;

static LOCK: Original = Original::new();
static TRY_LOCK: Original = Original::new();
/// `funlockfile`.
pub static UNLOCK: Original = Original::new();
/// `fflush`, with its redirected entry.
pub static FLUSH: Original = Original::new();
/// `_IO_iter_begin`, `_IO_iter_end`, `_IO_iter_next`, `_IO_iter_file`: libc's way through all streams.
pub static FIRST: Original = Original::new();
/// See there.
pub static END: Original = Original::new();
/// See there.
pub static NEXT: Original = Original::new();
/// See there.
pub static AT: Original = Original::new();

/// Where libc's `stdin`, `stdout` and `stderr` are.
static STANDARD: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// What programs call to lock a stream.
pub static ROWS: &[Row] = &[
    Row::new(b"flockfile", || lock as *const () as u64, &LOCK).with_objects(1),
    Row::new(b"ftrylockfile", || try_lock as *const () as u64, &TRY_LOCK).with_objects(1),
];

/// Finds the standard streams.
pub fn find() {
    for (place, name) in STANDARD.iter().zip([c"stdin", c"stdout", c"stderr"]) {
        // SAFETY: dlsym may be called from a constructor.
        let variable = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        place.store(variable as u64, Ordering::Relaxed);
    }
}

/// One of the standard streams, by its descriptor.
pub fn standard(descriptor: usize) -> u64 {
    match STANDARD[descriptor].load(Ordering::Relaxed) {
        0 => 0,
        // SAFETY: libc's variable, or the program's copy of it.
        variable => unsafe { (variable as *const u64).read() },
    }
}

/// Whether libc's functions take the stream's lock. What is no stream is for the function to fail by.
pub fn is_locked_by_libc(stream: u64) -> bool {
    log::read_value::<u64>(stream).is_some_and(|flags| flags & USER_LOCK == 0)
}

fn of(stream: u64) -> Subject {
    Subject::by_address(Operation::Stream, stream)
}

/// libc's flockfile.
fn wait(stream: u64) -> i32 {
    // SAFETY: libc's function, with the program's stream.
    unsafe { LOCK.call([stream]) };
    0
}

/// Takes a stream's lock.
pub extern "C" fn lock(stream: u64) {
    engine::take(of(stream), || wait(stream), || wait(stream));
}

extern "C" fn try_lock(stream: u64) -> i32 {
    try_lock_for(stream, 1)
}

/// Takes a stream's lock if it comes to be free while one looks so often.
fn try_lock_for(stream: u64, looks: usize) -> i32 {
    let attempt = || {
        for look in 1.. {
            // SAFETY: libc's function, with the program's stream.
            let result = unsafe { TRY_LOCK.call([stream]) };
            if result == 0 || look >= looks {
                return result;
            }
            kernel::yield_processor();
        }
        0
    };
    engine::take(of(stream), attempt, || wait(stream))
}

/// Gives it back.
pub fn unlock(stream: u64) {
    // SAFETY: libc's function, with the program's stream.
    unsafe { UNLOCK.call([stream]) };
}

fn for_each(mut action: impl FnMut(u64)) {
    // SAFETY: libc's functions. The list of streams does not change: the caller has the lock around its changes.
    unsafe {
        let (mut at, end) = (FIRST.address([]), END.address([]));
        while at != end {
            action(AT.address([at]));
            at = NEXT.address([at]);
        }
    }
}

/// Whether something was written to the stream that has not reached the kernel.
///
/// # Safety
/// It is a live stream, and the caller has its lock.
unsafe fn is_due(stream: u64) -> bool {
    // SAFETY: see above.
    let word = |address: u64| unsafe { (address as *const u64).read() };
    let wide = word(stream + WIDE_DATA);
    word(stream + WRITE_POINTER) > word(stream + WRITE_BASE)
        || wide != 0 && word(wide + WIDE_WRITE_POINTER) > word(wide + WIDE_WRITE_BASE)
}

/// `fflush(NULL)`: libc's own would take locks where nobody sees it.
pub extern "C" fn flush_all() -> i32 {
    let mut result = 0;
    for_each(|stream| {
        let locked = is_locked_by_libc(stream);
        if locked {
            lock(stream);
        }
        // SAFETY: it is in libc's list.
        let due = unsafe { is_due(stream) };
        if locked {
            unlock(stream);
        }
        // SAFETY: libc's function.
        if due && unsafe { FLUSH.call([stream]) } != 0 {
            result = libc::EOF;
        }
    });
    result
}

/// The process exits: libc will flush all streams, and take no locks. Those that still use them come before or never.
pub extern "C" fn exit() {
    if !sections::are_on() || thread::current().borrows_memory {
        return;
    }
    Own::Streams.lock().enter();
    for_each(|stream| {
        if is_locked_by_libc(stream) {
            try_lock_for(stream, LAST_LOOKS);
        }
    });
}
