//! How calls of enclosed functions come to us, and leave again.
//!
//! There is an entry for each function. While the process has one thread it leads on to the function itself, with nothing
//! changed. Else the function is called from a frame of ours, between [`super::enter`] and [`super::leave`]. The arguments
//! of a variadic function cannot be passed on: the frame has a va_list of them (System V ABI for x86-64, 3.5.7), for the
//! function that takes one.
//!
//! A thread that is cancelled in the function, or a C++ exception, is unwound through the frame: its personality routine
//! gives the lock back.

use super::table::COUNT;
use super::{FUNCTIONS, enter, leave, unwind};
use crate::order::sections;
use core::arch::global_asm;

/// Bytes from one entry to the next.
const ENTRY: u64 = 16;

unsafe extern "C" {
    static imitate_enclosed: u8;
}

/// The entry for a row of the table.
pub fn of(row: usize) -> u64 {
    &raw const imitate_enclosed as u64 + ENTRY * row as u64
}

// The frame, from rbp: -0xb0 register save area, -0xd0 va_list, -0xf0 `Enclosure`, -0x100 results, -0x120 arguments on the
// stack: no function of the table has more than ten.
global_asm!(
    ".pushsection .text.imitate_enclosed, \"ax\", @progbits",
    ".balign 16",
    ".hidden imitate_enclosed",
    ".globl imitate_enclosed",
    "imitate_enclosed:",
    ".cfi_startproc",
    ".set imitate_enclosed_row, 0",
    ".rept {count}",
    ".balign {entry}",
    ".byte 0x41, 0xbb", // mov r11d, row
    ".long imitate_enclosed_row",
    "jmp 2f",
    ".set imitate_enclosed_row, imitate_enclosed_row + 1",
    ".endr",
    ".balign {entry}",
    "2:",
    "cmp byte ptr [rip + {state}], {off}",
    "jne 3f",
    "lea r10, [rip + {functions}]",
    "jmp qword ptr [r10 + 8 * r11]",
    ".cfi_endproc",
    "3:",
    ".cfi_startproc",
    ".cfi_personality 0x1b, {unwind}", // relative, in 32 bits
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "sub rsp, 0x120",
    "mov [rbp - 0xb0], rdi",
    "mov [rbp - 0xa8], rsi",
    "mov [rbp - 0xa0], rdx",
    "mov [rbp - 0x98], rcx",
    "mov [rbp - 0x90], r8",
    "mov [rbp - 0x88], r9",
    "test al, al",
    "je 4f",
    "movaps [rbp - 0x80], xmm0",
    "movaps [rbp - 0x70], xmm1",
    "movaps [rbp - 0x60], xmm2",
    "movaps [rbp - 0x50], xmm3",
    "movaps [rbp - 0x40], xmm4",
    "movaps [rbp - 0x30], xmm5",
    "movaps [rbp - 0x20], xmm6",
    "movaps [rbp - 0x10], xmm7",
    "4:",
    "mov edi, r11d",
    "lea rsi, [rbp - 0xb0]",
    "lea rdx, [rbp - 0xf0]",
    "call {enter}",
    "mov r11, rax",
    "mov r10, rdx",
    "mov rax, [rbp + 0x10]",
    "mov [rsp], rax",
    "mov rax, [rbp + 0x18]",
    "mov [rsp + 8], rax",
    "mov rax, [rbp + 0x20]",
    "mov [rsp + 0x10], rax",
    "mov rax, [rbp + 0x28]",
    "mov [rsp + 0x18], rax",
    "mov rdi, [rbp - 0xb0]",
    "mov rsi, [rbp - 0xa8]",
    "mov rdx, [rbp - 0xa0]",
    "mov rcx, [rbp - 0x98]",
    "mov r8, [rbp - 0x90]",
    "mov r9, [rbp - 0x88]",
    "test r10d, r10d",
    "je 6f",
    "lea eax, [8 * r10]",
    "mov [rbp - 0xd0], eax",
    "mov dword ptr [rbp - 0xcc], 48",
    "lea rax, [rbp + 0x10]",
    "mov [rbp - 0xc8], rax",
    "lea rax, [rbp - 0xb0]",
    "mov [rbp - 0xc0], rax",
    "lea rax, [rbp - 0xd0]",
    // The va_list comes where the first of its arguments was.
    "cmp r10d, 2",
    "cmovb rsi, rax",
    "cmove rdx, rax",
    "cmova rcx, rax",
    "6:",
    "call r11",
    "mov [rbp - 0x100], rax",
    "movq [rbp - 0xf8], xmm0",
    "lea rdi, [rbp - 0xf0]",
    "call {leave}",
    "mov rax, [rbp - 0x100]",
    "movq xmm0, [rbp - 0xf8]",
    "leave",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".popsection",
    count = const COUNT,
    entry = const ENTRY,
    state = sym sections::STATE,
    off = const sections::state::OFF,
    functions = sym FUNCTIONS,
    enter = sym enter,
    leave = sym leave,
    unwind = sym unwind,
);
