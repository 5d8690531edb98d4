//! Short ways to write the kinds of arguments that many rows share.

use super::kind::{Buffer, Direction, Length, Type, When};
use super::layout::{Layout, Structure};

const fn buffer(direction: Direction, length: Length, layout: Layout) -> Type {
    Type::Buffer(Buffer { direction, length, when: When::Success, layout })
}

/// The kernel reads a structure.
pub const fn reads(structure: &'static Structure) -> Type {
    buffer(Direction::In, Length::Bytes(structure.size), Layout::Structure(structure))
}

/// The kernel writes a structure.
pub const fn writes(structure: &'static Structure) -> Type {
    buffer(Direction::Out, Length::Bytes(structure.size), Layout::Structure(structure))
}

/// The kernel reads a structure and writes it again.
pub const fn updates(structure: &'static Structure) -> Type {
    buffer(Direction::InOut, Length::Bytes(structure.size), Layout::Structure(structure))
}

/// The kernel reads so many bytes.
pub const fn reads_bytes(length: u32) -> Type {
    buffer(Direction::In, Length::Bytes(length), Layout::Bytes)
}

/// The kernel writes so many bytes.
pub const fn writes_bytes(length: u32) -> Type {
    buffer(Direction::Out, Length::Bytes(length), Layout::Bytes)
}

/// The kernel reads so many bytes and writes them again.
pub const fn updates_bytes(length: u32) -> Type {
    buffer(Direction::InOut, Length::Bytes(length), Layout::Bytes)
}

/// The kernel reads an `int`.
pub const fn reads_int() -> Type {
    reads_bytes(4).shown(Layout::Ints)
}

/// The kernel writes an `int`.
pub const fn writes_int() -> Type {
    writes_bytes(4).shown(Layout::Ints)
}

/// The kernel reads an `int` and writes it again.
pub const fn updates_int() -> Type {
    updates_bytes(4).shown(Layout::Ints)
}

/// The kernel writes a 64-bit number.
pub const fn writes_word() -> Type {
    writes_bytes(8).shown(Layout::Words)
}

/// The kernel reads a 64-bit number.
pub const fn reads_word() -> Type {
    reads_bytes(8).shown(Layout::Words)
}

/// The kernel reads and writes a file offset.
pub const fn updates_offset() -> Type {
    updates_bytes(8).shown(Layout::Longs)
}

/// The kernel reads as many items of `size` bytes as `argument` says.
pub const fn reads_items(argument: u8, size: u32) -> Type {
    buffer(Direction::In, Length::Items { argument, size, header: 0 }, Layout::Bytes)
}

/// The kernel writes as many items of `size` bytes as `argument` says.
pub const fn writes_items(argument: u8, size: u32) -> Type {
    buffer(Direction::Out, Length::Items { argument, size, header: 0 }, Layout::Bytes)
}

/// The kernel reads as many structures as `argument` says.
pub const fn reads_structures(argument: u8, structure: &'static Structure) -> Type {
    reads_items(argument, structure.size).shown(Layout::Structure(structure))
}

/// The kernel reads and writes as many structures as `argument` says.
pub const fn updates_structures(argument: u8, structure: &'static Structure) -> Type {
    let length = Length::Items { argument, size: structure.size, header: 0 };
    buffer(Direction::InOut, length, Layout::Structure(structure))
}

/// The kernel writes as many structures as the result says, `argument` at most.
pub const fn result_structures(argument: u8, structure: &'static Structure) -> Type {
    result_items(argument, structure.size).shown(Layout::Structure(structure))
}

/// The kernel writes as many bytes as the result says, `argument` at most.
pub const fn result_bytes(argument: u8) -> Type {
    result_items(argument, 1)
}

/// The kernel writes as many items of `size` bytes as the result says, `argument` at most.
pub const fn result_items(argument: u8, size: u32) -> Type {
    buffer(Direction::Out, Length::Result { argument, size, header: 0 }, Layout::Bytes)
}

/// The kernel consumes as many bytes as the result says, `argument` at most.
pub const fn consumed_bytes(argument: u8) -> Type {
    buffer(Direction::In, Length::Result { argument, size: 1, header: 0 }, Layout::Bytes)
}

/// The kernel writes what the length at the address in `argument` allows and then says.
pub const fn value_result(argument: u8) -> Type {
    buffer(Direction::Out, Length::ValueResult { argument }, Layout::Bytes)
}

/// The kernel reads a signal set, whose size is in `argument`.
pub const fn reads_signals(argument: u8) -> Type {
    reads_items(argument, 1).shown(Layout::Signals)
}

/// The kernel writes a signal set, whose size is in `argument`.
pub const fn writes_signals(argument: u8) -> Type {
    writes_items(argument, 1).shown(Layout::Signals)
}

/// `select`'s sets of descriptors: read, and written on success.
pub const fn descriptors(argument: u8) -> Type {
    buffer(Direction::InOut, Length::Bits { argument }, Layout::Descriptors)
}

/// The kernel reads a set of memory nodes.
pub const fn reads_nodes(argument: u8) -> Type {
    buffer(Direction::In, Length::Nodes { argument }, Layout::Words)
}

/// The kernel writes a set of memory nodes.
pub const fn writes_nodes(argument: u8) -> Type {
    buffer(Direction::Out, Length::Nodes { argument }, Layout::Words)
}

/// The kernel reads a socket address, whose size is in `argument`.
pub const fn reads_address(argument: u8) -> Type {
    reads_items(argument, 1).shown(Layout::SocketAddress)
}

/// The kernel writes a socket address, whose size is at the address in `argument`.
pub const fn writes_address(argument: u8) -> Type {
    value_result(argument).shown(Layout::SocketAddress)
}

/// A buffer of another length than the other functions make.
pub const fn memory(direction: Direction, length: Length) -> Type {
    buffer(direction, length, Layout::Bytes)
}
