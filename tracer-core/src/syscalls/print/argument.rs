//! One argument of a call.

use super::super::Syscall;
use super::super::capture::{Before, Call, ITEMS_MAX, Memory, long, resolve, word};
use super::super::commands::{CommandSet, ioctl};
use super::super::kind::{Buffer, Direction, Type};
use super::super::layout::Layout;
use super::super::names::network;
use super::bytes::{data, read_beginning, text};
use super::{either, layout, list, message, number, signal_name};

/// The most bytes of a structure or array that are looked at.
const LOOKED_AT: u64 = 16 * 1024;
/// The most strings that are counted.
const STRINGS_COUNTED: usize = 65_536;
/// The most strings of an argument list that are shown.
const STRINGS_SHOWN: usize = 64;

/// A call that is being printed. What its methods show, they append.
pub(super) struct Printer<'a, M> {
    pub s: &'a Syscall,
    pub a: &'a [u64; 6],
    /// `None` before the call was made.
    pub result: Option<i64>,
    pub m: &'a M,
}

impl<M: Memory> Printer<'_, M> {
    /// Argument `index`.
    pub fn argument(&self, out: &mut String, index: usize) {
        let value = self.a[index];
        let kind = resolve(self.s.arguments[index].kind, index, self.a);
        if self.number(out, kind, value).is_some() {
            return;
        }
        match value {
            0 => out.push_str("NULL"),
            address => {
                either(out, |out| self.memory(out, kind, index, address), |out| number::pointer(out, address))
            }
        }
    }

    /// An argument that is only a number; `None` if it is more.
    fn number(&self, out: &mut String, kind: Type, value: u64) -> Option<()> {
        match kind {
            Type::Int | Type::Descriptor | Type::WrittenDescriptor | Type::ReadDescriptor => {
                number::decimal(out, value as i32);
            }
            Type::Unsigned => number::decimal(out, value as u32),
            Type::Long => number::decimal(out, value as i64),
            Type::Size => number::decimal(out, value),
            Type::Hex => number::hex(out, value),
            Type::Mode => number::mode(out, value),
            Type::Device => number::device(out, value),
            Type::Pointer => number::pointer(out, value),
            Type::DirectoryDescriptor => number::directory(out, value),
            Type::Signal => out.push_str(&signal_name(value as i32)),
            Type::Named(names) => number::named(out, names, value),
            Type::Command(set) => self.command(out, set, value),
            Type::SocketProtocol => match self.a[0] as i32 {
                libc::AF_INET | libc::AF_INET6 => number::named(out, &network::PROTOCOL, value),
                libc::AF_NETLINK => number::named(out, &network::NETLINK_PROTOCOL, value),
                _ => number::decimal(out, value as i32),
            },
            Type::SocketOption => match self.a[1] as i32 {
                libc::SOL_SOCKET => number::named(out, &network::SOCKET_OPTION, value),
                libc::SOL_TCP => number::named(out, &network::TCP_OPTION, value),
                libc::SOL_IP => number::named(out, &network::IP_OPTION, value),
                libc::SOL_IPV6 => number::named(out, &network::IPV6_OPTION, value),
                _ => number::decimal(out, value as i32),
            },
            _ => return None,
        }
        Some(())
    }

    fn command(&self, out: &mut String, set: &'static CommandSet, value: u64) {
        let Some(command) = set.find(self.a) else {
            return match ioctl::decode(value as u32) {
                Some(encoding) if core::ptr::eq(set, &ioctl::IOCTL) => put!(
                    out,
                    "_IOC({}, {:#x}, {:#x}, {:#x})",
                    match encoding.direction() {
                        Direction::In => "_IOC_WRITE",
                        Direction::Out => "_IOC_READ",
                        Direction::InOut => "_IOC_READ|_IOC_WRITE",
                    },
                    encoding.kind,
                    encoding.number,
                    encoding.size
                ),
                _ => number::hex(out, value & 0xffff_ffff),
            };
        };
        let mut rest = value & 0xffff_ffff & !set.mask;
        out.push_str(command.name);
        for (flag, flag_name) in set.flags {
            if rest & flag != 0 {
                rest &= !flag;
                put!(out, "|{flag_name}");
            }
        }
        if rest != 0 {
            put!(out, "|{rest:#x}");
        }
    }

    /// An argument that points to memory; `None` if that cannot be read or says nothing yet.
    fn memory(&self, out: &mut String, kind: Type, index: usize, address: u64) -> Option<()> {
        let moved = self.result.map(|result| result.max(0) as u64);
        match kind {
            Type::Path => text(out, self.m, address),
            Type::Strings => self.strings(out, index, address),
            Type::Buffer(buffer) => self.buffer(out, buffer, address),
            Type::ValueLength { .. } => {
                put!(out, "[{}]", word(self.m, address)?);
                Some(())
            }
            Type::Vector(direction) => {
                let moved = if direction.writes() { moved.unwrap_or(0) } else { u64::MAX };
                let count = self.a.get(index + 1)?.min(&ITEMS_MAX);
                message::vectors(out, self.m, address, *count, moved);
                Some(())
            }
            Type::Message(Direction::Out) => {
                let moved = moved.filter(|_| self.result >= Some(0))?;
                message::message(out, self.m, address, moved)
            }
            Type::Message(_) => message::message(out, self.m, address, u64::MAX),
            Type::Messages(_) => message::messages(out, self.m, address, moved?),
            Type::AttributeValue(direction) => {
                let (value, size) = (long(self.m, address)?, word(self.m, address.checked_add(8)?)?);
                let length = if direction.writes() { moved?.min(size) } else { size };
                out.push_str("{value=");
                either(out, |out| data(out, self.m, value, length), |out| number::pointer(out, value));
                put!(out, ", size={size}}}");
                Some(())
            }
            Type::InterfaceList => {
                put!(out, "{{ifc_len={}}}", word(self.m, address)?);
                Some(())
            }
            _ => None,
        }
    }

    fn buffer(&self, out: &mut String, buffer: Buffer, address: u64) -> Option<()> {
        let result = match buffer.direction {
            Direction::Out => self.result.filter(|&result| buffer.when.holds(result))?,
            // Of what the kernel was offered everything is shown, whatever it took.
            Direction::In | Direction::InOut => i64::MAX,
        };
        let before = Before { capacity: LOOKED_AT };
        let call = Call { s: self.s, a: self.a, before: &before, result, m: self.m };
        let length = call.length(buffer.length, address);
        match buffer.layout {
            Layout::Bytes => data(out, self.m, address, length),
            shown => {
                let bytes = read_beginning(self.m, address, length.min(LOOKED_AT) as usize)?;
                layout::bytes(out, shown, &bytes);
                Some(())
            }
        }
    }

    /// `["ls", "-l"]`; of the environment only how much there is.
    fn strings(&self, out: &mut String, index: usize, address: u64) -> Option<()> {
        let mut items = Vec::new();
        while items.len() < STRINGS_COUNTED {
            match long(self.m, address.checked_add(items.len() as u64 * 8)?)? {
                0 => break,
                item => items.push(item),
            }
        }
        if self.s.arguments[index].name == "envp" {
            number::pointer(out, address);
            put!(out, " /* {} vars */", items.len());
            return Some(());
        }
        list(out, items.into_iter(), STRINGS_SHOWN, |out, item| {
            either(out, |out| text(out, self.m, item), |out| number::pointer(out, item));
        });
        Some(())
    }
}
