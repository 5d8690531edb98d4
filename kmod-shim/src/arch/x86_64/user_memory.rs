//! Reading and writing the program's memory when its pointers may be wrong.
//!
//! One copy loop has a known address range; a SIGSEGV or SIGBUS from inside it is not the program's: the
//! handler continues at the loop's failure exit ([`recover`]).

use core::arch::global_asm;

global_asm!(
    ".pushsection .text.imitate_user_copy, \"ax\", @progbits",
    // fn(target, source, length) -> bytes *not* copied.
    ".hidden imitate_user_copy",
    ".globl imitate_user_copy",
    "imitate_user_copy:",
    "mov rcx, rdx",
    "cmp rcx, 256",
    "jae 3f",
    "2:",
    "cmp rcx, 8",
    "jb 4f",
    "mov rax, [rsi]",
    "mov [rdi], rax",
    "add rsi, 8",
    "add rdi, 8",
    "sub rcx, 8",
    "jmp 2b",
    "4:",
    "test rcx, rcx",
    "jz 5f",
    "mov al, [rsi]",
    "mov [rdi], al",
    "inc rsi",
    "inc rdi",
    "dec rcx",
    "jmp 4b",
    "3: rep movsb",
    "5:",
    ".hidden imitate_user_copy_failed",
    ".globl imitate_user_copy_failed",
    "imitate_user_copy_failed:",
    "mov rax, rcx",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn imitate_user_copy(target: *mut u8, source: *const u8, length: usize) -> usize;
    fn imitate_user_copy_failed();
}

/// Copies `length` bytes; false if either side is not accessible (some bytes may have been copied then).
///
/// # Safety
/// The fault handler of this crate's user is installed and uses [`recover`]; whichever side is ours is valid.
#[inline]
pub unsafe fn copy(target: *mut u8, source: *const u8, length: usize) -> bool {
    // SAFETY: a fault inside ends in the failure exit, which returns the bytes left.
    unsafe { imitate_user_copy(target, source, length) == 0 }
}

/// If a fault at `instruction_pointer` happened in [`copy`]: where to continue.
pub fn recover(instruction_pointer: u64) -> Option<u64> {
    let begin = imitate_user_copy as *const () as u64;
    let end = imitate_user_copy_failed as *const () as u64;
    (begin..end).contains(&instruction_pointer).then_some(end)
}
