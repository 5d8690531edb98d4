//! A recorded `pthread_mutex_lock` of a normal mutex that nobody has, and that this thread had last: what locks mostly are.
//!
//! It is libc's exchange and our note, and nothing else: no other stack, no function of libc's, no store but theirs. A
//! locked instruction waits for all stores before it, so the usual way through [`super::stack`], which saves and restores a dozen
//! registers around libc's function, took 8 ns of a lock and its unlock on an Intel processor, where they take 20.
//! Whatever else there is to do, that way does it.
//!
//! While the process has one thread there is nothing to do, in both modes: libc's function runs on the program's stack, where it
//! leaves the same each time, as nobody else has the mutex.
//!
//! What comes of it is the same, below the stack pointer too: there is what an entry of [`super::stack`] leaves.

use super::engine;
use super::rows::{self, MUTEX_KIND, MUTEX_LIST};
use super::word::OWNER;
use crate::order::sections::{self, state};
use crate::thread::{self, Thread};
use core::arch::{asm, global_asm};
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

/// Offsets in glibc's pthread_mutex_t: the thread that has it, and how many use it.
const MUTEX_OWNER: u64 = 8;
const MUTEX_USERS: u64 = 12;
/// Where glibc has a thread's id, from the thread's fs (struct pthread, nptl/descr.h; libthread_db knows it too).
const ID: u64 = 0x2d0;

// What the comparison below tells apart.
const _: () = assert!(state::OFF < state::RECORD && state::RECORD < state::REPLAY);

/// Where the usual way begins.
static USUAL: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    fn imitate_lock_quickly();
    fn imitate_lock_quickly_end();
}

global_asm!(
    ".pushsection .text.imitate_lock_quickly, \"ax\", @progbits",
    ".balign 64",
    ".hidden imitate_lock_quickly",
    ".globl imitate_lock_quickly",
    "imitate_lock_quickly:",
    ".cfi_startproc",
    "cmp byte ptr [rip + {state}], {record}",
    "jb 4f", // off
    "ja 2f", // replay
    "cmp byte ptr gs:[{borrows}], 0",
    "jne 2f",
    "cmp qword ptr gs:[{allowed}], 0",
    "jne 2f",
    // Neither taken nor of another kind.
    "mov eax, [rdi]",
    "or eax, [rdi + {kind}]",
    "jne 2f",
    "mov edx, gs:[{stream}]",
    "inc edx",
    "mov ecx, 1",
    "lock cmpxchg [rdi], ecx",
    "jne 2f",
    "mov ecx, fs:[{id}]",
    "mov [rdi + {owner}], ecx",
    "inc dword ptr [rdi + {users}]",
    "mov [rsp - 8], rbp",
    // The word, if the one before was this thread's, and its count does not overflow.
    "mov rcx, [rdi + {word}]",
    "inc rcx",
    "mov rsi, rcx",
    "shr rsi, {word_owner}",
    "cmp esi, edx",
    "jne 3f",
    "mov [rdi + {word}], rcx",
    "inc qword ptr gs:[{passes}]",
    "ret",
    "3:",
    "lea rcx, [rip + {taken}]",
    "jmp imitate_operate",
    "4:",
    "jmp qword ptr [rip + {function}]",
    "2:",
    "jmp qword ptr [rip + {usual}]",
    ".hidden imitate_lock_quickly_end",
    ".globl imitate_lock_quickly_end",
    "imitate_lock_quickly_end:",
    ".cfi_endproc",
    ".popsection",
    state = sym sections::STATE,
    record = const state::RECORD,
    borrows = const offset_of!(Thread, borrows_memory),
    allowed = const Thread::ALLOWED,
    kind = const MUTEX_KIND,
    stream = const offset_of!(Thread, stream),
    id = const ID,
    owner = const MUTEX_OWNER,
    users = const MUTEX_USERS,
    word = const MUTEX_LIST,
    word_owner = const OWNER,
    passes = const offset_of!(Thread, passes),
    taken = sym taken,
    usual = sym USUAL,
    function = sym rows::MUTEX_LOCK,
);

/// Another thread's operation came before on this mutex, which the calling thread has locked.
extern "C" fn taken(mutex: u64) -> i32 {
    engine::record_taken(thread::current(), rows::mutex(mutex), 0);
    0
}

/// The entry that tries this first, and `usual` then: where that is of use, and where glibc is as expected here.
pub fn entry(usual: u64) -> u64 {
    let id: u32;
    // SAFETY: glibc's threads have more behind their fs than this.
    unsafe { asm!("mov {:e}, fs:[{}]", out(reg) id, const ID, options(pure, readonly, nostack)) };
    if id != thread::current().id {
        return usual;
    }
    USUAL.store(usual, Ordering::Relaxed);
    imitate_lock_quickly as *const () as u64
}

/// Where a fault of the instruction at `rip` is repeated: nothing has been done yet.
pub fn fails_at(rip: u64) -> Option<u64> {
    let own = imitate_lock_quickly as *const () as u64..imitate_lock_quickly_end as *const () as u64;
    own.contains(&rip).then(|| USUAL.load(Ordering::Relaxed))
}
