//! With chaos, calls of libc's locks and their relatives are places where threads hand over.
//!
//! Without contention they make no system call, so that nothing else would stop a thread between one lock and the next,
//! which is where programs deadlock. The functions' entries are redirected, in recording and in its replay, to a hook
//! that counts its passages as a `pause` that is a safepoint does ([`super::at_spin`]) and goes on in the function.
//! Those that are too short for a jump stay as they are, in both modes.

use super::adversary::{self, Place};
use super::objects;
use crate::start::maps::Mapping;
use crate::thread;
use crate::{sites, stop, watch};
use core::arch::global_asm;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use kmod_shim::patch::near_memory::Region;
use kmod_shim::vdso::{Function, Functions};
use tracer_core::session::functions;

/// The functions. C11's go through the same code.
const NAMES: [&[u8]; 24] = [
    b"pthread_mutex_lock",
    b"pthread_mutex_trylock",
    b"pthread_mutex_timedlock",
    b"pthread_mutex_clocklock",
    b"pthread_mutex_unlock",
    b"pthread_cond_wait",
    b"pthread_cond_timedwait",
    b"pthread_cond_signal",
    b"pthread_cond_broadcast",
    b"pthread_rwlock_rdlock",
    b"pthread_rwlock_tryrdlock",
    b"pthread_rwlock_wrlock",
    b"pthread_rwlock_trywrlock",
    b"pthread_rwlock_unlock",
    b"pthread_spin_lock",
    b"pthread_spin_trylock",
    b"pthread_spin_unlock",
    b"pthread_once",
    b"pthread_barrier_wait",
    b"sem_wait",
    b"sem_trywait",
    b"sem_timedwait",
    b"sem_post",
    b"pthread_join",
];
/// How many entries can be redirected: some functions have two versions.
const ENTRIES: usize = 32;
/// Bytes from one entry hook to the next.
const STRIDE: u64 = 16;

/// What the hook keeps on the program's stack.
#[repr(C)]
struct Kept {
    entry: u64,
    others: [u64; 4],
    second: u64,
    first: u64,
    caller: u64,
}

impl Kept {
    /// rip, rsp and rbp at the function's entry.
    fn registers(&self) -> [u64; 3] {
        let address = ADDRESSES[self.entry as usize].load(Ordering::Relaxed);
        // SAFETY: `imitate_on_hook_stack` has pushed it there, below the address that it returns to.
        let frame = unsafe { (&raw const *self).cast::<u64>().sub(2).read() };
        [address, (&raw const self.caller) as u64, frame]
    }
}

/// As what a watched replay tells of each function: its number there, plus one.
static WATCHED: [AtomicU8; ENTRIES] = [const { AtomicU8::new(0) }; ENTRIES];
/// Where each function begins.
static ADDRESSES: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];
/// Where each function goes on.
static ORIGINALS: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];

unsafe extern "C" {
    fn imitate_points();
}

// One small piece for each entry, which says which it is. Arguments are kept for the function; what a called function
// may change is made the same in both modes. Debuggers find the program's functions behind it: threads wait here.
global_asm!(
    ".pushsection .text.imitate_points, \"ax\", @progbits",
    ".balign {stride}",
    ".hidden imitate_points",
    ".globl imitate_points",
    "imitate_points:",
    ".cfi_startproc",
    ".set number, 0",
    ".rept {entries}",
    ".balign {stride}",
    "mov r11d, number",
    "jmp 2f",
    ".set number, number + 1",
    ".endr",
    "2: push rdi",
    ".cfi_adjust_cfa_offset 8",
    "push rsi",
    ".cfi_adjust_cfa_offset 8",
    "push rdx",
    ".cfi_adjust_cfa_offset 8",
    "push rcx",
    ".cfi_adjust_cfa_offset 8",
    "push r8",
    ".cfi_adjust_cfa_offset 8",
    "push r9",
    ".cfi_adjust_cfa_offset 8",
    "push r11",
    ".cfi_adjust_cfa_offset 8",
    "mov rsi, rsp",
    "lea rdi, [rip + {passed}]",
    "call imitate_on_hook_stack",
    "pop r11",
    ".cfi_adjust_cfa_offset -8",
    "pop r9",
    ".cfi_adjust_cfa_offset -8",
    "pop r8",
    ".cfi_adjust_cfa_offset -8",
    "pop rcx",
    ".cfi_adjust_cfa_offset -8",
    "pop rdx",
    ".cfi_adjust_cfa_offset -8",
    "pop rsi",
    ".cfi_adjust_cfa_offset -8",
    "pop rdi",
    ".cfi_adjust_cfa_offset -8",
    "xor eax, eax",
    "xor r10d, r10d",
    crate::registers::clear_vectors!(),
    "push r10",
    ".cfi_adjust_cfa_offset 8",
    "lea r10, [rip + {originals}]",
    "mov r11, [r10 + 8 * r11]",
    "pop r10",
    ".cfi_adjust_cfa_offset -8",
    "jmp r11",
    ".cfi_endproc",
    ".popsection",
    stride = const STRIDE,
    entries = const ENTRIES,
    passed = sym passed,
    originals = sym ORIGINALS,
);

/// Redirects the functions, if the recording is one with chaos.
pub fn install(mappings: &[Mapping]) {
    if !adversary::is_on() {
        return;
    }
    let Some(base) = objects::base_of(mappings, |name| name.ends_with(objects::LIBC)) else { return };
    // SAFETY: ld.so has loaded it, and it stays for as long as the process lives.
    let functions = unsafe { Functions::at(base) }.functions();
    let mut count = 0;
    for Function { address, name, .. } in functions.filter(|function| NAMES.contains(&function.name)) {
        if count == ENTRIES || is_hooked(address) {
            continue;
        }
        let hook = imitate_points as *const () as u64 + count as u64 * STRIDE;
        if let Some(original) =
            sites::exclusively(|sites| sites.redirect(base, address, hook, Region::Common))
        {
            ORIGINALS[count].store(original, Ordering::Relaxed);
            ADDRESSES[count].store(address, Ordering::Relaxed);
            let number = functions::number(name).map_or(0, |number| number as u8 + 1);
            WATCHED[count].store(number, Ordering::Relaxed);
            count += 1;
        }
    }
}

/// Whether the function at `address` has a hook here.
pub fn is_hooked(address: u64) -> bool {
    ADDRESSES.iter().any(|known| known.load(Ordering::Relaxed) == address)
}

/// Where the functions go on, and where they begin.
pub fn moved() -> impl Iterator<Item = (&'static AtomicU64, &'static AtomicU64)> {
    ORIGINALS.iter().zip(&ADDRESSES)
}

/// A thread calls one of the functions.
extern "C" fn passed(kept: &Kept) {
    let thread = thread::current();
    if watch::hand_overs_are_told() {
        thread.watch.place = Some(kept.registers());
    }
    super::pass(thread, Place::Point);
    thread.watch.place = None;
    stop::look(thread);
    if watch::is_on() {
        let number = WATCHED[kept.entry as usize].load(Ordering::Relaxed);
        if let Some(number) = number.checked_sub(1) {
            let top = (&raw const kept.caller) as u64;
            watch::calls(thread, number.into(), [kept.first, kept.second], top);
        }
        watch::accesses::before_program(thread);
    }
}
