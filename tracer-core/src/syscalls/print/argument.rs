//! One argument of a call.

use super::super::Syscall;
use super::super::capture::{Before, Call, ITEMS_MAX, Memory, long, resolve, word};
use super::super::commands::{CommandSet, ioctl};
use super::super::kind::{Buffer, Direction, Type};
use super::super::layout::Layout;
use super::super::names::network;
use super::bytes::{data, read_beginning, text};
use super::{layout, message, number, signal_name};

/// The most bytes of a structure or array that are looked at.
const LOOKED_AT: u64 = 16 * 1024;
/// The most strings that are counted.
const STRINGS_COUNTED: usize = 65_536;
/// The most strings of an argument list that are shown.
const STRINGS_SHOWN: u64 = 64;

/// A call that is being printed.
pub(super) struct Printer<'a, M> {
    pub s: &'a Syscall,
    pub a: &'a [u64; 6],
    /// `None` before the call was made.
    pub result: Option<i64>,
    pub m: &'a M,
}

impl<M: Memory> Printer<'_, M> {
    /// Argument `index` as text.
    pub fn argument(&self, index: usize) -> String {
        let value = self.a[index];
        let kind = resolve(self.s.arguments[index].kind, index, self.a);
        self.number(kind, value).unwrap_or_else(|| match value {
            0 => "NULL".to_string(),
            address => self.memory(kind, index, address).unwrap_or_else(|| number::pointer(address)),
        })
    }

    /// An argument that is only a number.
    fn number(&self, kind: Type, value: u64) -> Option<String> {
        Some(match kind {
            Type::Int | Type::Descriptor | Type::WrittenDescriptor | Type::ReadDescriptor => {
                (value as i32).to_string()
            }
            Type::Unsigned => (value as u32).to_string(),
            Type::Long => (value as i64).to_string(),
            Type::Size => value.to_string(),
            Type::Hex => number::hex(value),
            Type::Mode => number::mode(value),
            Type::Device => number::device(value),
            Type::Pointer => number::pointer(value),
            Type::DirectoryDescriptor => number::directory(value),
            Type::Signal => signal_name(value as i32).into_owned(),
            Type::Named(names) => number::named(names, value),
            Type::Command(set) => self.command(set, value),
            Type::SocketProtocol => match self.a[0] as i32 {
                libc::AF_INET | libc::AF_INET6 => number::named(&network::PROTOCOL, value),
                libc::AF_NETLINK => number::named(&network::NETLINK_PROTOCOL, value),
                _ => (value as i32).to_string(),
            },
            Type::SocketOption => match self.a[1] as i32 {
                libc::SOL_SOCKET => number::named(&network::SOCKET_OPTION, value),
                libc::SOL_TCP => number::named(&network::TCP_OPTION, value),
                libc::SOL_IP => number::named(&network::IP_OPTION, value),
                libc::SOL_IPV6 => number::named(&network::IPV6_OPTION, value),
                _ => (value as i32).to_string(),
            },
            _ => return None,
        })
    }

    fn command(&self, set: &'static CommandSet, value: u64) -> String {
        let Some(command) = set.find(self.a) else {
            return match ioctl::decode(value as u32) {
                Some(encoding) if core::ptr::eq(set, &ioctl::IOCTL) => format!(
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
                _ => number::hex(value & 0xffff_ffff),
            };
        };
        let mut rest = value & 0xffff_ffff & !set.mask;
        let mut name = command.name.to_string();
        for (flag, flag_name) in set.flags {
            if rest & flag != 0 {
                rest &= !flag;
                name = format!("{name}|{flag_name}");
            }
        }
        if rest != 0 { format!("{name}|{rest:#x}") } else { name }
    }

    /// An argument that points to memory; `None` if that cannot be read or says nothing yet.
    fn memory(&self, kind: Type, index: usize, address: u64) -> Option<String> {
        let moved = self.result.map(|result| result.max(0) as u64);
        match kind {
            Type::Path => text(self.m, address),
            Type::Strings => self.strings(index, address),
            Type::Buffer(buffer) => self.buffer(buffer, address),
            Type::ValueLength { .. } => Some(format!("[{}]", word(self.m, address)?)),
            Type::Vector(direction) => {
                let moved = if direction.writes() { moved.unwrap_or(0) } else { u64::MAX };
                let count = self.a.get(index + 1)?.min(&ITEMS_MAX);
                Some(message::vectors(self.m, address, *count, moved))
            }
            Type::Message(Direction::Out) => moved
                .filter(|_| self.result >= Some(0))
                .and_then(|moved| message::message(self.m, address, moved)),
            Type::Message(_) => message::message(self.m, address, u64::MAX),
            Type::Messages(_) => message::messages(self.m, address, moved?),
            Type::AttributeValue(direction) => {
                let (value, size) = (long(self.m, address)?, word(self.m, address.checked_add(8)?)?);
                let length = if direction.writes() { moved?.min(size) } else { size };
                let shown = data(self.m, value, length).unwrap_or_else(|| number::pointer(value));
                Some(format!("{{value={shown}, size={size}}}"))
            }
            Type::InterfaceList => Some(format!("{{ifc_len={}}}", word(self.m, address)?)),
            _ => None,
        }
    }

    fn buffer(&self, buffer: Buffer, address: u64) -> Option<String> {
        let result = match buffer.direction {
            Direction::Out => self.result.filter(|&result| buffer.when.holds(result))?,
            // Of what the kernel was offered everything is shown, whatever it took.
            Direction::In | Direction::InOut => i64::MAX,
        };
        let before = Before { capacity: LOOKED_AT };
        let call = Call { s: self.s, a: self.a, before: &before, result, m: self.m };
        let length = call.length(buffer.length, address);
        match buffer.layout {
            Layout::Bytes => data(self.m, address, length),
            shown => {
                let bytes = read_beginning(self.m, address, length.min(LOOKED_AT) as usize)?;
                Some(layout::bytes(shown, &bytes))
            }
        }
    }

    /// `["ls", "-l"]`; of the environment only how much there is.
    fn strings(&self, index: usize, address: u64) -> Option<String> {
        let mut items = Vec::new();
        while items.len() < STRINGS_COUNTED {
            match long(self.m, address.checked_add(items.len() as u64 * 8)?)? {
                0 => break,
                item => items.push(item),
            }
        }
        if self.s.arguments[index].name == "envp" {
            return Some(format!("{} /* {} vars */", number::pointer(address), items.len()));
        }
        let more = items.len() as u64 > STRINGS_SHOWN;
        items.truncate(STRINGS_SHOWN as usize);
        let mut shown: Vec<String> =
            items.iter().map(|&item| text(self.m, item).unwrap_or_else(|| number::pointer(item))).collect();
        if more {
            shown.push("...".to_string());
        }
        Some(format!("[{}]", shown.join(", ")))
    }
}
