//! System calls that really reach the kernel.
//!
//! Syscall User Dispatch lets calls through from one address range and raises SIGSYS for all others. That
//! range is the assembly of this file and nothing else: whatever calls the kernel from elsewhere, be it the
//! program, libc or a library that we link, is seen.

use core::arch::global_asm;
use core::ops::Range;

global_asm!(
    ".pushsection .text.imitate_raw, \"ax\", @progbits",
    ".balign 64",
    ".hidden imitate_raw_begin",
    ".globl imitate_raw_begin",
    "imitate_raw_begin:",
    // fn(number, a, b, c, d, e, f) -> result, the C calling convention. r10 replaces rcx, which the
    // instruction overwrites.
    ".hidden imitate_raw_call",
    ".globl imitate_raw_call",
    "imitate_raw_call:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "mov r9, [rsp + 8]",
    "syscall",
    "ret",
    // The same, but a signal that arrives before the kernel is entered makes it return -EINTR, as it would
    // have if it had arrived just after. The signal handler moves an instruction pointer in
    // [interruptible_begin, interruptible_end) to interruptible_interrupted.
    ".hidden imitate_raw_interruptible",
    ".globl imitate_raw_interruptible",
    "imitate_raw_interruptible:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "mov r9, [rsp + 8]",
    ".hidden imitate_raw_interruptible_begin",
    ".globl imitate_raw_interruptible_begin",
    "imitate_raw_interruptible_begin:",
    "cmp qword ptr gs:[{signals_pending}], 0",
    "jne imitate_raw_interruptible_interrupted",
    "syscall",
    ".hidden imitate_raw_interruptible_end",
    ".globl imitate_raw_interruptible_end",
    "imitate_raw_interruptible_end:",
    "ret",
    ".hidden imitate_raw_interruptible_interrupted",
    ".globl imitate_raw_interruptible_interrupted",
    "imitate_raw_interruptible_interrupted:",
    "mov rax, -4",
    "ret",
    // fn(flags, child_frame, parent_tid, child_tid, tls) -> result in the parent. The child shares our memory,
    // so it must not touch the parent's stack: it starts on the frame prepared for it and leaves through the
    // ordinary exit from the hook.
    ".hidden imitate_raw_clone",
    ".globl imitate_raw_clone",
    "imitate_raw_clone:",
    "mov r10, rcx",
    "mov eax, 56",
    "syscall",
    "test rax, rax",
    "jnz 2f",
    "mov rdi, rsp",
    "jmp imitate_child_entry",
    "2: ret",
    // Where our signal handlers return to. Unwinders know this pattern of bytes as a signal frame; gdb does so in code of
    // this name only (amd64_linux_sigtramp_p).
    ".balign 16",
    "nop",
    ".hidden __restore_rt",
    ".globl __restore_rt",
    ".type __restore_rt, @function",
    "__restore_rt:",
    "mov rax, 15",
    "syscall",
    ".size __restore_rt, . - __restore_rt",
    // fn(signal_frame) -> !: all registers, the mask and the floating-point state come from a signal frame.
    ".hidden imitate_raw_resume",
    ".globl imitate_raw_resume",
    "imitate_raw_resume:",
    "mov rsp, rdi",
    "mov rax, 15",
    "syscall",
    "ud2",
    ".hidden imitate_raw_end",
    ".globl imitate_raw_end",
    "imitate_raw_end:",
    ".popsection",
    signals_pending = const super::entry::offset::SIGNALS_PENDING,
);

unsafe extern "C" {
    fn imitate_raw_begin();
    fn imitate_raw_end();
    fn imitate_raw_interruptible_begin();
    fn imitate_raw_interruptible_end();
    fn imitate_raw_interruptible_interrupted();
    fn imitate_raw_call(number: u64, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> i64;
    fn imitate_raw_interruptible(number: u64, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> i64;
    fn imitate_raw_clone(flags: u64, child_frame: u64, parent_tid: u64, child_tid: u64, tls: u64) -> i64;
    fn imitate_raw_resume(frame: u64) -> !;
    fn __restore_rt();
}

/// The addresses from which system calls reach the kernel.
pub fn allowed_range() -> Range<u64> {
    imitate_raw_begin as *const () as u64..imitate_raw_end as *const () as u64
}

/// The address that our signal handlers return to (`sa_restorer`).
pub fn restorer() -> u64 {
    __restore_rt as *const () as u64
}

/// If a signal arrived at `instruction_pointer` before an interruptible call had entered the kernel: where to
/// continue instead, so that it returns -EINTR.
pub fn interrupted_at(instruction_pointer: u64) -> Option<u64> {
    let begin = imitate_raw_interruptible_begin as *const () as u64;
    let end = imitate_raw_interruptible_end as *const () as u64;
    (begin..end)
        .contains(&instruction_pointer)
        .then_some(imitate_raw_interruptible_interrupted as *const () as u64)
}

/// Makes a system call.
///
/// # Safety
/// As dangerous as the call itself.
#[inline]
pub unsafe fn call(number: i64, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the assembly follows the C calling convention; the caller vouches for the call.
    unsafe { imitate_raw_call(number as u64, a, b, c, d, e, f) }
}

/// Makes a system call that a signal may interrupt: -EINTR also if the signal came just before.
///
/// # Safety
/// As [`call`]; and the thread register must be set up (see [`super::entry`]).
#[inline]
pub unsafe fn call_interruptible(number: i64, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: as in `call`.
    unsafe { imitate_raw_interruptible(number as u64, a, b, c, d, e, f) }
}

/// clone(2) for a child that shares our memory. The child starts in `imitate_child_entry` on `child_frame`, a
/// [`super::frame::Frame`] prepared for it.
///
/// # Safety
/// `child_frame` lies at the top of a stack that nobody else uses.
pub unsafe fn clone_sharing_memory(
    flags: u64,
    child_frame: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
) -> i64 {
    // SAFETY: see above.
    unsafe { imitate_raw_clone(flags, child_frame, parent_tid, child_tid, tls) }
}

/// Leaves through rt_sigreturn with the state in the signal frame at `frame`.
///
/// # Safety
/// `frame` is the address of a complete `ucontext_t` as the kernel lays it out in a signal frame.
pub unsafe fn resume(frame: u64) -> ! {
    // SAFETY: see above.
    unsafe { imitate_raw_resume(frame) }
}
