//! What an argument of a system call is: a number, or memory with a direction, a length and a layout.

use super::commands::CommandSet;
use super::layout::Layout;
use super::names::NameSet;

/// One argument of a system call.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name in the manual page.
    pub name: &'static str,
    /// What it is.
    pub kind: Type,
}

/// What an argument is.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A signed 32-bit number. The kernel ignores the register's upper half.
    Int,
    /// An unsigned 32-bit number. The kernel ignores the register's upper half.
    Unsigned,
    /// A signed 64-bit number, such as a file offset.
    Long,
    /// An unsigned 64-bit number, such as a size in bytes.
    Size,
    /// A number that is best read in hexadecimal.
    Hex,
    /// File permissions, printed in octal.
    Mode,
    /// A device number.
    Device,
    /// An address that the call reads and writes nothing at, or that the engine looks after.
    Pointer,
    /// A file descriptor.
    Descriptor,
    /// The file descriptor that bytes are written to.
    WrittenDescriptor,
    /// The file descriptor of a file that bytes are read from.
    ReadDescriptor,
    /// A file descriptor of a directory, or `AT_FDCWD`.
    DirectoryDescriptor,
    /// A signal number.
    Signal,
    /// A number with names: one of several, or bits, or both.
    Named(&'static NameSet),
    /// A string that ends with NUL: a path or another name.
    Path,
    /// An array of strings that ends with a null pointer.
    Strings,
    /// Memory.
    Buffer(Buffer),
    /// A `u32` with the capacity of the buffer in argument `of`, which the kernel replaces by the length of
    /// what there was to say. Not touched if that buffer's address is null.
    ValueLength {
        /// Which argument is the buffer.
        of: u8,
    },
    /// `struct iovec` items, as many as the next argument says; the result counts the bytes moved.
    Vector(Direction),
    /// One `struct msghdr`; the result counts the bytes moved.
    Message(Direction),
    /// `struct mmsghdr` items, as many as the next argument says; the result counts those that were moved.
    Messages(Direction),
    /// `struct xattr_args`: the address and size of an attribute's value.
    AttributeValue(Direction),
    /// `struct ifconf`: the address and capacity of a list of interfaces.
    InterfaceList,
    /// The protocol of `socket`, whose meaning depends on the family in argument 0.
    SocketProtocol,
    /// The option of `getsockopt`, whose meaning depends on the level in argument 1.
    SocketOption,
    /// A command that decides what other arguments are.
    Command(&'static CommandSet),
    /// Depends on another argument, the command.
    ByCommand(&'static CommandSet),
    /// Depends on another argument, an `ioctl` command.
    Ioctl,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The kernel reads.
    In,
    /// The kernel writes.
    Out,
    /// The kernel reads, then writes.
    InOut,
}

/// Memory that an argument points to.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Which way its bytes go.
    pub direction: Direction,
    /// How many bytes that are.
    pub length: Length,
    /// After which results the kernel has written them (those that go out).
    pub when: When,
    /// What they mean.
    pub layout: Layout,
}

/// How many bytes the kernel reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always so many.
    Bytes(u32),
    /// As many items of `size` bytes as `argument` says, after a header.
    Items {
        /// Which argument counts.
        argument: u8,
        /// Bytes of an item.
        size: u32,
        /// Bytes before the first item.
        header: u32,
    },
    /// As many items of `size` bytes as the result says, but no more than `argument` says, after a header.
    Result {
        /// Which argument is the most.
        argument: u8,
        /// Bytes of an item.
        size: u32,
        /// Bytes before the first item.
        header: u32,
    },
    /// The lesser of what the `u32` at the address in `argument` said before the call and says after it.
    ValueResult {
        /// Which argument points to the length.
        argument: u8,
    },
    /// A bit set of as many bits as `argument` says, in whole 64-bit words (`fd_set`).
    Bits {
        /// Which argument counts.
        argument: u8,
    },
    /// A bit set of one bit less than `argument` says, in whole 64-bit words: the kernel's idea of `maxnode`.
    Nodes {
        /// Which argument counts.
        argument: u8,
    },
    /// A byte for each page of as many bytes as `argument` says.
    Pages {
        /// Which argument is the size in bytes.
        argument: u8,
    },
    /// A header that says how many items follow it.
    Counted {
        /// Bytes before the first item.
        header: u16,
        /// Where in the header the `u32` count is.
        count_at: u16,
        /// What the count cannot exceed.
        limit: Limit,
        /// Bytes of an item.
        size: u16,
    },
    /// `capget` and `capset`: one or two structures by the version in the header, to which `argument` points.
    Capabilities {
        /// Which argument points to the header.
        argument: u8,
    },
}

/// What the count in a header cannot exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nothing.
    None,
    /// The `u32` here in the header.
    Field(u16),
    /// What the count was before the call.
    Earlier,
}

/// After which results the kernel has written a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Anything but an error.
    Success,
    /// Anything but an error, though perhaps not then either, or not all of it.
    Perhaps,
    /// More than zero: `wait4` that found a child.
    Positive,
    /// Whatever came of the call.
    Always,
    /// Success, or this error, after which the kernel also tells something.
    SuccessOr(i32),
    /// Nothing but this error: `nanosleep` tells the remaining time after EINTR.
    Error(i32),
}

impl When {
    /// Whether a call that came back with `result` has written.
    pub const fn holds(self, result: i64) -> bool {
        match self {
            When::Success | When::Perhaps => result >= 0,
            When::Positive => result > 0,
            When::Always => true,
            When::SuccessOr(error) => result >= 0 || result == -(error as i64),
            When::Error(error) => result == -(error as i64),
        }
    }
}

impl Type {
    /// The argument as a number, the way the kernel sees it: most count arguments are 32 bits wide and the
    /// upper half of the register is whatever the program left there.
    pub const fn number(&self, register: u64) -> u64 {
        match self {
            Type::Int | Type::Descriptor | Type::Signal => {
                let value = register as i32;
                if value < 0 { 0 } else { value as u64 }
            }
            Type::Unsigned | Type::Mode | Type::Named(_) | Type::Command(_) => register as u32 as u64,
            _ => register,
        }
    }

    /// This buffer, written after other results than success.
    pub const fn when(self, when: When) -> Type {
        match self {
            Type::Buffer(buffer) => Type::Buffer(Buffer { when, ..buffer }),
            other => other,
        }
    }

    /// This buffer, with its bytes shown as `layout`.
    pub const fn shown(self, layout: Layout) -> Type {
        match self {
            Type::Buffer(buffer) => Type::Buffer(Buffer { layout, ..buffer }),
            other => other,
        }
    }
}

impl Direction {
    /// Whether the kernel writes.
    pub const fn writes(self) -> bool {
        !matches!(self, Direction::In)
    }
}
