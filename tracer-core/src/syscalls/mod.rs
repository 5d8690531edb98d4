//! Every x86-64 system call as typed data: what it reads, what it writes, how it is replayed and how it is
//! printed.
//!
//! One row per number (in [`table`]), one kind per argument ([`Type`]); capture while recording, emulation in
//! replay and the printing of a trace all come from these rows:
//!
//! * [`lookup`] finds the row, [`behaviour()`] what is to be done with one particular call;
//! * [`before`], [`outputs`] and [`inputs`] say which memory a call writes and reads;
//! * [`print`](print::print) renders it in the style of strace.
//!
//! All but [`print`](mod@print) runs between the instructions of a recorded program: it allocates nothing,
//! calls nothing, and takes any number for an argument. Memory is only looked at through [`Memory`], which
//! may say no.

mod behaviour;
pub mod capture;
pub mod commands;
pub mod kind;
pub mod layout;
pub mod names;
pub mod print;
mod shorthand;
pub mod structures;
pub mod table;
#[cfg(test)]
mod tests;

pub use behaviour::{Behaviour, behaviour};
pub use capture::{
    Before, Capacity, Input, Memory, Pointer, Region, before, capacities, inputs, outputs, structure_read,
};
pub use commands::ioctl::known as ioctl_known;
pub use kind::{Argument, Type};

/// What is known about one system call.
#[derive(Debug)]
pub struct Syscall {
    /// Its number.
    pub number: u16,
    /// Its name, as in `<asm/unistd_64.h>`.
    pub name: &'static str,
    /// How it is replayed. Some commands of `ioctl`, `prctl` and the like differ: see [`behaviour()`].
    pub class: Class,
    /// It may sleep for long (with some arguments, see [`behaviour()`]).
    pub blocks: bool,
    /// The kernel makes the call again when it was interrupted by a handler with SA_RESTART (with some
    /// arguments, see [`behaviour()`]). signal(7) has the list.
    pub restarts: bool,
    /// When the kernel does so.
    pub restart: Restarts,
    /// [`before`] looks at memory.
    pub values_before: bool,
    /// Its arguments in order, six at most.
    pub arguments: &'static [Argument],
}

/// How replay gets the result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The result and the memory written come from the log; no call is made.
    Emulate,
    /// The call is made again, and its result must be the same.
    Execute,
    /// The engine has its own code for it.
    Special,
    /// Not supported: recording does not make the call but gives back this error number, and says so by name.
    Refuse(i32),
    /// The same without a message, since programs are used to doing without the call.
    RefuseQuietly(i32),
}

/// When the kernel makes an interrupted call again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarts {
    /// Never: EINTR reaches the program.
    Never,
    /// Whenever the handler was installed with SA_RESTART.
    Always,
    /// The same, unless the call has a timeout (its argument of kind `timespec`).
    Untimed,
    /// Whatever the handler's flags: the caller relies on it that EINTR never comes (ERESTARTNOINTR in kernel/futex/pi.c;
    /// glibc's pthread_mutex_lock takes it for a success).
    Unconditionally,
}

/// The row for a number, `None` if it isn't a system call known here.
#[inline]
pub fn lookup(number: u64) -> Option<&'static Syscall> {
    table::INDEX.get(table::position(number)?).copied()
}

/// The descriptor that this call writes bytes to, `None` if it isn't one of the write family.
pub fn written_descriptor(s: &Syscall, a: &[u64; 6]) -> Option<i32> {
    descriptor(s, a, Type::WrittenDescriptor)
}

/// The descriptor of the file that this call reads bytes from, `None` if it isn't one of the read family.
pub fn read_descriptor(s: &Syscall, a: &[u64; 6]) -> Option<i32> {
    descriptor(s, a, Type::ReadDescriptor)
}

fn descriptor(s: &Syscall, a: &[u64; 6], kind: Type) -> Option<i32> {
    let index = s
        .arguments
        .iter()
        .position(|argument| core::mem::discriminant(&argument.kind) == core::mem::discriminant(&kind))?;
    Some(*a.get(index)? as i32)
}
