//! From the program into the hook and back.
//!
//! A rewritten `syscall` jumps to a stub that loads rcx with its continuation and jumps to [`address`]. The
//! registers go to a [`Frame`] at the top of the thread's private hook stack (never to the program's stack: a
//! leaf function may have data in its red zone, a goroutine may have no room), and `imitate_dispatch` decides.
//!
//! Thread state is found through gs, whose base is per thread, inherited by clone, unused by glibc, and needs
//! no TLS of our own.

use super::frame::{Frame, offset as field};
use core::arch::{asm, global_asm};
use core::ffi::c_void;

/// What assembly knows of the thread's state: the structure that gs points to starts with this.
#[repr(C)]
pub struct ThreadRegister {
    /// Its own address.
    pub this: u64,
    /// The frame at the top of the hook stack.
    pub frame: *mut Frame,
    /// Not 0: a signal was put aside, to be delivered at the next safepoint.
    pub signals_pending: u64,
    /// For hooks of ordinary functions: where on a stack of ours the next one begins, a multiple of 16.
    pub operation_stack: u64,
    /// Where the program's stack is while one runs, 0 if none does.
    pub program_stack: u64,
}

/// Byte offsets of the fields, for assembly.
pub mod offset {
    use super::ThreadRegister;
    use core::mem::offset_of;
    /// Offset of `frame`.
    pub const FRAME: usize = offset_of!(ThreadRegister, frame);
    /// Offset of `signals_pending`.
    pub const SIGNALS_PENDING: usize = offset_of!(ThreadRegister, signals_pending);
}

global_asm!(
    ".pushsection .text.imitate_entry, \"ax\", @progbits",
    ".balign 64",
    // The user of this crate defines these; hidden, they are nobody else's business.
    ".hidden imitate_dispatch",
    ".hidden imitate_deliver_pending",
    ".hidden imitate_child_start",
    ".hidden imitate_entry",
    ".globl imitate_entry",
    "imitate_entry:",
    "mov r11, gs:[{frame}]",
    "mov [r11 + {rsp}], rsp",
    "mov rsp, r11",
    "mov [r11 + {rip}], rcx",
    "mov [r11 + {rax}], rax",
    "mov [r11 + {rax} + 8], rdi",
    "mov [r11 + {rax} + 16], rsi",
    "mov [r11 + {rax} + 24], rdx",
    "mov [r11 + {rax} + 32], r10",
    "mov [r11 + {rax} + 40], r8",
    "mov [r11 + {rax} + 48], r9",
    "mov [r11 + {rax} + 56], rbx",
    "mov [r11 + {rax} + 64], rbp",
    "mov [r11 + {rax} + 72], r12",
    "mov [r11 + {rax} + 80], r13",
    "mov [r11 + {rax} + 88], r14",
    "mov [r11 + {rax} + 96], r15",
    "pushfq",
    "pop [r11 + {rflags}]",
    // What Rust assumes everywhere.
    "cld",
    "movaps [r11], xmm0",
    "movaps [r11 + 16], xmm1",
    "movaps [r11 + 32], xmm2",
    "movaps [r11 + 48], xmm3",
    "movaps [r11 + 64], xmm4",
    "movaps [r11 + 80], xmm5",
    "movaps [r11 + 96], xmm6",
    "movaps [r11 + 112], xmm7",
    "movaps [r11 + 128], xmm8",
    "movaps [r11 + 144], xmm9",
    "movaps [r11 + 160], xmm10",
    "movaps [r11 + 176], xmm11",
    "movaps [r11 + 192], xmm12",
    "movaps [r11 + 208], xmm13",
    "movaps [r11 + 224], xmm14",
    "movaps [r11 + 240], xmm15",
    "mov rdi, r11",
    "call imitate_dispatch",
    // Leaving. rsp is the frame; the frame is only read until the last jump, so a signal that arrives in here
    // can be delivered by starting the exit again (see `exit_restart`).
    ".hidden imitate_exit",
    ".globl imitate_exit",
    "imitate_exit:",
    "movaps xmm0, [rsp]",
    "movaps xmm1, [rsp + 16]",
    "movaps xmm2, [rsp + 32]",
    "movaps xmm3, [rsp + 48]",
    "movaps xmm4, [rsp + 64]",
    "movaps xmm5, [rsp + 80]",
    "movaps xmm6, [rsp + 96]",
    "movaps xmm7, [rsp + 112]",
    "movaps xmm8, [rsp + 128]",
    "movaps xmm9, [rsp + 144]",
    "movaps xmm10, [rsp + 160]",
    "movaps xmm11, [rsp + 176]",
    "movaps xmm12, [rsp + 192]",
    "movaps xmm13, [rsp + 208]",
    "movaps xmm14, [rsp + 224]",
    "movaps xmm15, [rsp + 240]",
    // popfq takes 25 cycles, so the arithmetic flags are restored without it: 0x7f + 1 overflows, and sahf sets
    // the rest. Direction, trap and alignment flags need the real thing.
    "mov eax, [rsp + {rflags}]",
    "test eax, 0x40500",
    "jnz 6f",
    "mov ecx, eax",
    "shr ecx, 11",
    "and ecx, 1",
    "mov ah, al",
    "add cl, 0x7f",
    "sahf",
    "7:",
    "mov rax, [rsp + {rax}]",
    "mov rdi, [rsp + {rax} + 8]",
    "mov rsi, [rsp + {rax} + 16]",
    "mov rdx, [rsp + {rax} + 24]",
    "mov r10, [rsp + {rax} + 32]",
    "mov r8, [rsp + {rax} + 40]",
    "mov r9, [rsp + {rax} + 48]",
    "mov rbx, [rsp + {rax} + 56]",
    "mov rbp, [rsp + {rax} + 64]",
    "mov r12, [rsp + {rax} + 72]",
    "mov r13, [rsp + {rax} + 80]",
    "mov r14, [rsp + {rax} + 88]",
    "mov r15, [rsp + {rax} + 96]",
    "mov rcx, [rsp + {rip}]",
    "mov r11, [rsp + {rflags}]",
    "mov rsp, [rsp + {rsp}]",
    ".hidden imitate_exit_end",
    ".globl imitate_exit_end",
    "imitate_exit_end:",
    "jmp rcx",
    "6: push [rsp + {rflags}]",
    "popfq",
    "jmp 7b",
    // Starts the exit again after delivering what is pending.
    ".hidden imitate_exit_restart",
    ".globl imitate_exit_restart",
    "imitate_exit_restart:",
    "mov rsp, gs:[{frame}]",
    "mov rdi, rsp",
    "call imitate_deliver_pending",
    "jmp imitate_exit",
    // A child that shares its parent's memory begins here, rsp = rdi = its own frame.
    ".hidden imitate_child_entry",
    ".globl imitate_child_entry",
    "imitate_child_entry:",
    "call imitate_child_start",
    "jmp imitate_exit",
    // fn(stack, function, argument): calls the function on another stack.
    ".cfi_startproc",
    ".hidden imitate_call_on_stack",
    ".globl imitate_call_on_stack",
    "imitate_call_on_stack:",
    "push rbp",
    "mov rbp, rsp",
    "mov rsp, rdi",
    "mov rax, rsi",
    "mov rdi, rdx",
    "jmp 9f",
    // fn(function, a, b, c) -> rax, on the hook stack: for hooks of ordinary C functions, which must leave
    // nothing below the program's stack pointer that depends on the mode.
    ".hidden imitate_on_hook_stack",
    ".globl imitate_on_hook_stack",
    "imitate_on_hook_stack:",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "mov rsp, gs:[{frame}]",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    // Under any other name gdb takes a caller's frame at a lower address for a damaged stack (get_prev_frame_always_1).
    "__morestack:",
    "9: call rax",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".popsection",
    frame = const offset::FRAME,
    rax = const field::RAX,
    rsp = const field::RSP,
    rip = const field::RIP,
    rflags = const field::RFLAGS,
);

unsafe extern "C" {
    fn imitate_entry();
    fn imitate_exit();
    fn imitate_exit_end();
    fn imitate_exit_restart();
    fn imitate_call_on_stack(stack: u64, function: extern "C" fn(*mut c_void), argument: *mut c_void);
}

/// Calls `function` with its stack at `stack`, a multiple of 16.
///
/// # Safety
/// Below `stack` is mapped memory that nobody uses, enough for the function, which must not unwind.
pub unsafe fn call_on_stack(stack: u64, function: extern "C" fn(*mut c_void), argument: *mut c_void) {
    // SAFETY: the assembly follows the C calling convention and comes back to this stack.
    unsafe { imitate_call_on_stack(stack, function, argument) }
}

/// Where a rewritten `syscall` goes, with its continuation in rcx.
pub fn address() -> u64 {
    imitate_entry as *const () as u64
}

/// If `instruction_pointer` is on the way out of the hook, after its last look at pending signals: the address
/// that looks again.
pub fn exit_restart(instruction_pointer: u64) -> Option<u64> {
    let exit = imitate_exit as *const () as u64..=imitate_exit_end as *const () as u64;
    exit.contains(&instruction_pointer).then_some(imitate_exit_restart as *const () as u64)
}

/// This thread's state.
///
/// # Safety
/// [`set_thread_register`] was called on this thread.
#[inline(always)]
pub unsafe fn thread_register() -> *mut ThreadRegister {
    let this: *mut ThreadRegister;
    // SAFETY: gs points to a ThreadRegister, whose first word is its own address.
    unsafe { asm!("mov {}, gs:[0]", out(reg) this, options(nostack, preserves_flags, readonly)) };
    this
}

/// Makes `register` this thread's state.
///
/// # Safety
/// `register` stays valid for as long as the thread lives.
pub unsafe fn set_thread_register(register: *mut ThreadRegister) {
    const ARCH_SET_GS: u64 = 0x1001;
    // SAFETY: the program's gs base is not used by glibc; an arch_prctl by the program is refused.
    unsafe { super::raw::call(libc::SYS_arch_prctl, [ARCH_SET_GS, register as u64, 0, 0, 0, 0]) };
}
