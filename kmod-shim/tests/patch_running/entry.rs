//! Where rewritten sites go in the tests.

use std::arch::global_asm;
use std::sync::atomic::{AtomicU64, Ordering};

use kmod_shim::patch::Rewriter;
use kmod_shim::patch::kernel::Kernel;

/// How often the entry below was passed.
#[unsafe(no_mangle)]
static PATCH_TEST_ENTRIES: AtomicU64 = AtomicU64::new(0);

global_asm!(
    // What a recorder's entry does, without the recording: the call, and on at the address in rcx with the
    // registers as the kernel leaves them. It counts below the red zone, and without touching the flags.
    ".globl patch_test_entry",
    "patch_test_entry:",
    "mov [rsp - 256], rcx",
    "mov [rsp - 264], rax",
    "mov rax, [rip + PATCH_TEST_ENTRIES]",
    "lea rax, [rax + 1]",
    "mov [rip + PATCH_TEST_ENTRIES], rax",
    "mov rax, [rsp - 264]",
    "syscall",
    "mov rcx, [rsp - 256]",
    "jmp rcx",
);

unsafe extern "C" {
    fn patch_test_entry();
}

/// How many calls have come from rewritten sites; fewer than came, if threads came at once.
pub fn entries() -> u64 {
    PATCH_TEST_ENTRIES.load(Ordering::Relaxed)
}

/// A rewriter whose sites go to the entry.
pub fn rewriter<K: Kernel>(kernel: K) -> Rewriter<K> {
    Rewriter::new(kernel, patch_test_entry as *const () as u64)
}
