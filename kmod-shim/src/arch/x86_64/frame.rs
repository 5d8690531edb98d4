//! The program's registers at a safepoint.

/// What the entry code saves on the hook stack, and what it loads again when it leaves. Changing a field
/// changes what the program continues with.
///
/// rcx and r11 are missing on purpose: the `syscall` instruction overwrites them, so the program cannot have
/// anything in them across it. The upper halves of vector registers are missing because our code, compiled for
/// baseline x86-64, has no instruction that changes them.
#[repr(C, align(16))]
#[derive(Clone)]
pub struct Frame {
    /// xmm0 to xmm15.
    pub vectors: [u128; 16],
    /// The system call's number at entry, its result at exit.
    pub rax: u64,
    /// First argument.
    pub rdi: u64,
    /// Second argument.
    pub rsi: u64,
    /// Third argument.
    pub rdx: u64,
    /// Fourth argument.
    pub r10: u64,
    /// Fifth argument.
    pub r8: u64,
    /// Sixth argument.
    pub r9: u64,
    /// Callee-saved, as all below.
    pub rbx: u64,
    /// Frame pointer or anything.
    pub rbp: u64,
    /// r12.
    pub r12: u64,
    /// r13.
    pub r13: u64,
    /// r14.
    pub r14: u64,
    /// r15.
    pub r15: u64,
    /// The program's stack pointer.
    pub rsp: u64,
    /// Where the program continues.
    pub rip: u64,
    /// Flags.
    pub rflags: u64,
}

impl Frame {
    /// The six arguments of the system call.
    #[inline]
    pub fn arguments(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}

/// Byte offsets of the fields, for assembly.
pub mod offset {
    use super::Frame;
    use core::mem::offset_of;
    /// Offset of `rax`; the general registers follow in the order of the struct.
    pub const RAX: usize = offset_of!(Frame, rax);
    /// Offset of `rsp`.
    pub const RSP: usize = offset_of!(Frame, rsp);
    /// Offset of `rip`.
    pub const RIP: usize = offset_of!(Frame, rip);
    /// Offset of `rflags`.
    pub const RFLAGS: usize = offset_of!(Frame, rflags);
}
