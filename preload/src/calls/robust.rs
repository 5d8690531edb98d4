//! Robust futexes: what the kernel does with the locks of a thread that ends (Documentation/locking/robust-futexes.rst).
//!
//! It compares the words of these locks with the thread's real id, which in replay is another than the recorded one
//! that the words have, and it does so at some moment of its own. So it is done here, while the thread has the right
//! to run; what the kernel finds then is none of the thread's any more. The kernel's own way stays for those that are
//! killed.

use crate::log;
use crate::process;
use crate::thread::{self, Thread};
use crate::{calls::generic, kernel, order};
use kmod_shim::arch::native::frame::Frame;
use tracer_core::syscalls::Syscall;

/// Bits of a lock's word (linux/futex.h).
const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;
const OWNER: u32 = 0x3fff_ffff;
/// The kernel, too, follows a list no further.
const LONGEST: usize = 2048;
/// Bytes of `struct robust_list_head`.
const HEAD_SIZE: u64 = 24;

/// set_robust_list(2).
pub fn set(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let [head, length, ..] = frame.arguments();
    generic::emulate(thread, frame, syscall);
    if frame.rax == 0 && length == HEAD_SIZE {
        thread.robust_list = head;
    }
}

/// The process ends: so do all its threads. Only other processes can see that.
pub fn release_all(thread: &Thread) {
    if thread.borrows_memory || !order::shares() {
        return;
    }
    release(thread);
    for area in (0..process::get().next_area).filter(|area| *area != thread.area) {
        // SAFETY: areas below the next one were prepared when they were first used, and stay mapped.
        let other = unsafe { &*thread::state_of(area) };
        if !process::get().free_areas.contains(&area) && !other.borrows_memory {
            release(other);
        }
    }
}

/// The thread ends: marks the locks that it has.
pub fn release(thread: &Thread) {
    // The first entry, the distance from an entry to its lock, and the entry that is being locked or unlocked.
    let Some([first, distance, pending]) =
        Some(thread.robust_list).filter(|head| *head != 0).and_then(log::read_value::<[u64; 3]>)
    else {
        return;
    };
    let mut entry = first;
    for _ in 0..LONGEST {
        if entry & !1 == thread.robust_list {
            break;
        }
        // Read before: who gets the lock may change it.
        let next = log::read_value::<u64>(entry & !1);
        if entry & !1 != pending & !1 {
            mark(thread, (entry & !1).wrapping_add(distance));
        }
        let Some(next) = next else { break };
        entry = next;
    }
    if pending & !1 != 0 {
        mark(thread, (pending & !1).wrapping_add(distance));
    }
}

/// Marks one lock, if it is the thread's, and wakes one that waits for it.
fn mark(thread: &Thread, address: u64) {
    let Some(word) = log::read_value::<u32>(address).filter(|word| word & OWNER == thread.id) else { return };
    log::write_program(address, &(word & WAITERS | OWNER_DIED).to_le_bytes());
    if word & WAITERS != 0 {
        // SAFETY: the word was just written.
        let _ = unsafe { kernel::call(libc::SYS_futex, [address, libc::FUTEX_WAKE as u64, 1, 0, 0, 0]) };
    }
}
