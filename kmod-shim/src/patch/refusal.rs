//! Why a piece of code is left as it is.

use core::fmt;

/// The reason for leaving a site alone. None of these is a failure of the recording: the call goes on to trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The unwind tables know no function here, so nothing tells where its instructions begin.
    UnknownFunction,
    /// The function is so long that reading all of it would cost more than the traps that it saves.
    FunctionTooLong,
    /// The function contains bytes that are no known instruction at this address.
    UnknownInstruction(u64),
    /// Reading the function from its first byte, no `syscall` instruction begins at the site.
    NotAnInstruction,
    /// `rt_sigreturn`, which unwinders and debuggers recognise by its very bytes.
    SignalReturn,
    /// No instruction before the site is long enough and certain to lead to it.
    NoRoom,
    /// Every possible jump would cross an 8-byte boundary, where another thread might meet one half of it.
    NotAtomic,
    /// An instruction in the way cannot be moved: it is a call, or has only a short form.
    Immovable(u64),
    /// Something that must be within 2 GiB of something else is not.
    TooFar,
    /// The code to be replaced has been replaced before.
    AlreadyPatched,
    /// The kernel gave no memory near the object; the value is its `errno`.
    NoMemoryNear(i32),
    /// The kernel did not let the code be written; the value is its `errno`.
    NotWritable(i32),
    /// The code was written and is in use, but the kernel did not take back the permission to write it; the
    /// value is its `errno`.
    LeftWritable(i32),
    /// There is no memory left to remember the change in.
    NoMemory,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Refusal::UnknownFunction => write!(formatter, "no unwind table entry contains it"),
            Refusal::FunctionTooLong => write!(formatter, "its function is too long to be examined"),
            Refusal::UnknownInstruction(address) => {
                write!(formatter, "its function has an unknown instruction at {address:#x}")
            }
            Refusal::NotAnInstruction => write!(formatter, "no system call instruction begins there"),
            Refusal::SignalReturn => write!(formatter, "unwinders recognise a signal return by its bytes"),
            Refusal::NoRoom => write!(formatter, "no instruction that leads to it has room for a jump"),
            Refusal::NotAtomic => {
                write!(formatter, "with other threads running no jump can be written at once")
            }
            Refusal::Immovable(address) => {
                write!(formatter, "the instruction at {address:#x} cannot be moved")
            }
            Refusal::TooFar => write!(formatter, "its new place is more than 2 GiB away"),
            Refusal::AlreadyPatched => write!(formatter, "the code there has been replaced before"),
            Refusal::NoMemoryNear(error) => {
                write!(formatter, "no memory can be mapped near it (errno {error})")
            }
            Refusal::NotWritable(error) => {
                write!(formatter, "its page cannot be made writable (errno {error})")
            }
            Refusal::LeftWritable(error) => {
                write!(formatter, "it was rewritten, but its page stays writable (errno {error})")
            }
            Refusal::NoMemory => write!(formatter, "there is no memory to remember the change in"),
        }
    }
}

/// The `errno` in a system call's result.
pub(super) fn errno(result: isize) -> i32 {
    i32::try_from(result.wrapping_neg()).unwrap_or(libc::EINVAL)
}
