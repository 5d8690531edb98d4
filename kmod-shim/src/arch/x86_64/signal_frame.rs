//! The signal frame as the kernel lays it out (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h).
//!
//! We read frames that the kernel built on our alternate stack, and build frames of the same layout on the
//! program's stack, because unwinders, debuggers and handlers know it.

/// `struct sigcontext`: general registers in the kernel's order, then the rest.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MachineContext {
    /// r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp.
    pub r8: u64,
    /// r9.
    pub r9: u64,
    /// r10.
    pub r10: u64,
    /// r11.
    pub r11: u64,
    /// r12.
    pub r12: u64,
    /// r13.
    pub r13: u64,
    /// r14.
    pub r14: u64,
    /// r15.
    pub r15: u64,
    /// rdi.
    pub rdi: u64,
    /// rsi.
    pub rsi: u64,
    /// rbp.
    pub rbp: u64,
    /// rbx.
    pub rbx: u64,
    /// rdx.
    pub rdx: u64,
    /// rax.
    pub rax: u64,
    /// rcx.
    pub rcx: u64,
    /// rsp.
    pub rsp: u64,
    /// rip.
    pub rip: u64,
    /// Flags.
    pub rflags: u64,
    /// cs, gs, fs, ss, 16 bits each.
    pub segments: u64,
    /// Page-fault error code.
    pub error: u64,
    /// Trap number.
    pub trap: u64,
    /// Word of the mask that was blocked.
    pub old_mask: u64,
    /// Faulting address.
    pub cr2: u64,
    /// Address of the extended (FPU, vector) state, or 0.
    pub extended_state: u64,
    /// Unused by the kernel.
    pub reserved: [u64; 8],
}

/// `stack_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SignalStack {
    /// Lowest address.
    pub base: u64,
    /// SS_ONSTACK, SS_DISABLE, SS_AUTODISARM.
    pub flags: i32,
    /// Explicit padding.
    pub padding: u32,
    /// Bytes.
    pub size: u64,
}

/// `struct ucontext`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UserContext {
    /// UC_FP_XSTATE and others.
    pub flags: u64,
    /// Always 0.
    pub link: u64,
    /// The alternate stack at the time of the signal.
    pub stack: SignalStack,
    /// Registers.
    pub machine: MachineContext,
    /// Signals that were blocked.
    pub mask: u64,
}

/// A signal frame without the extended state: what rsp points to when a handler begins.
#[repr(C)]
pub struct SignalFrame {
    /// Where the handler returns to: the restorer.
    pub return_address: u64,
    /// Third argument of the handler.
    pub context: UserContext,
    /// Second argument of the handler: `siginfo_t`.
    pub information: [u8; 128],
}

/// UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS: what a 64-bit kernel sets.
pub const CONTEXT_FLAGS: u64 = 0x7;
/// The user-mode segment selectors: cs 0x33, ss 0x2b.
pub const USER_SEGMENTS: u64 = 0x002b_0000_0000_0033;

/// What an instruction wanted to do where it met a page fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read.
    Read,
    /// To write.
    Write,
    /// To be fetched.
    Execute,
}

impl MachineContext {
    /// What the instruction wanted, if this is the context of a page fault.
    pub fn access(&self) -> Access {
        const WRITE: u64 = 2;
        const FETCH: u64 = 16;
        match self.error & (WRITE | FETCH) {
            WRITE => Access::Write,
            FETCH => Access::Execute,
            _ => Access::Read,
        }
    }

    /// Copies the registers that a [`super::frame::Frame`] has.
    pub fn load_from(&mut self, frame: &super::frame::Frame) {
        self.rax = frame.rax;
        self.rdi = frame.rdi;
        self.rsi = frame.rsi;
        self.rdx = frame.rdx;
        self.r10 = frame.r10;
        self.r8 = frame.r8;
        self.r9 = frame.r9;
        self.rbx = frame.rbx;
        self.rbp = frame.rbp;
        self.r12 = frame.r12;
        self.r13 = frame.r13;
        self.r14 = frame.r14;
        self.r15 = frame.r15;
        self.rsp = frame.rsp;
        self.rip = frame.rip;
        self.rflags = frame.rflags;
    }

    /// Copies the registers to a frame; its vectors stay as they are.
    pub fn store_to(&self, frame: &mut super::frame::Frame) {
        frame.rax = self.rax;
        frame.rdi = self.rdi;
        frame.rsi = self.rsi;
        frame.rdx = self.rdx;
        frame.r10 = self.r10;
        frame.r8 = self.r8;
        frame.r9 = self.r9;
        frame.rbx = self.rbx;
        frame.rbp = self.rbp;
        frame.r12 = self.r12;
        frame.r13 = self.r13;
        frame.r14 = self.r14;
        frame.r15 = self.r15;
        frame.rsp = self.rsp;
        frame.rip = self.rip;
        frame.rflags = self.rflags;
    }
}
