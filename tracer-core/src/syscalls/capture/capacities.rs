//! Which memory a call may write to, known before it is made.

use super::super::Syscall;
use super::super::kind::{Direction, Length, Type};
use super::length::Call;
use super::messages::{MESSAGE_SIZE, VECTOR_SIZE, message, vectors};
use super::{Before, Memory, resolve, value};

/// Memory that the kernel may write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Where the pointer to it is.
    pub pointer: Pointer,
    /// Where it is.
    pub address: u64,
    /// Bytes.
    pub length: u64,
    /// What is there matters: the kernel reads it too, or may leave gaps.
    pub keeps: bool,
}

/// What points to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// An argument.
    Argument(u8),
    /// The pointer at this byte of the memory that was visited with this number (0 for the first).
    Within {
        /// Which visit.
        visit: u8,
        /// Which byte.
        offset: u16,
    },
}

/// The most items of a vector that are looked at.
const VECTOR_ITEMS: u64 = 16;

/// Visits all memory that the kernel may write to. Each piece is visited after the one that points to it. False if
/// there may be more than is visited. To be called before the call is made.
pub fn capacities(
    s: &Syscall,
    a: &[u64; 6],
    before: &Before,
    m: &impl Memory,
    visit: &mut impl FnMut(Capacity),
) -> bool {
    // As if everything had been successful: counts in results are then the limits in the arguments.
    let call = Call { s, a, before, result: i64::MAX, m };
    let mut visits = 0;
    let mut visit = |capacity: Capacity| {
        visit(capacity);
        visits += 1;
        visits - 1
    };
    for (index, argument) in s.arguments.iter().enumerate().take(a.len()) {
        let address = value(a, index as u8);
        if address == 0 {
            continue;
        }
        let pointer = Pointer::Argument(index as u8);
        match resolve(argument.kind, index, a) {
            Type::Buffer(buffer) if buffer.direction.writes() => {
                if matches!(buffer.length, Length::Counted { .. }) {
                    return false;
                }
                let length = call.length(buffer.length, address);
                let keeps = !matches!(buffer.length, Length::Result { header: 0, .. });
                visit(Capacity { pointer, address, length, keeps });
            }
            Type::ValueLength { .. } => {
                visit(Capacity { pointer, address, length: 4, keeps: true });
            }
            Type::Vector(direction) if direction.writes() => {
                let count = value(a, index as u8 + 1);
                if !visit_vector(pointer, address, count, m, &mut visit) {
                    return false;
                }
            }
            Type::Message(Direction::Out) => {
                let Some(message) = message(m, address) else { return false };
                let head = visit(Capacity { pointer, address, length: MESSAGE_SIZE, keeps: true });
                let within = |offset: u16| Pointer::Within { visit: head, offset };
                for (offset, address, length) in
                    [(0, message.name, message.name_length), (32, message.control, message.control_length)]
                {
                    if address != 0 && length != 0 {
                        visit(Capacity { pointer: within(offset), address, length, keeps: true });
                    }
                }
                let (vector, count) = (message.vector, message.vector_length);
                if !visit_vector(within(16), vector, count, m, &mut visit) {
                    return false;
                }
            }
            Type::Messages(Direction::Out) | Type::InterfaceList | Type::AttributeValue(Direction::Out) => {
                return false;
            }
            _ => {}
        }
    }
    true
}

fn visit_vector(
    pointer: Pointer,
    address: u64,
    count: u64,
    m: &impl Memory,
    visit: &mut impl FnMut(Capacity) -> u8,
) -> bool {
    if address == 0 || count == 0 {
        return true;
    }
    if count > VECTOR_ITEMS {
        return false;
    }
    let array = visit(Capacity { pointer, address, length: count * VECTOR_SIZE, keeps: true });
    for (at, (address, length)) in vectors(m, address, count).enumerate() {
        if address != 0 && length != 0 {
            let pointer = Pointer::Within { visit: array, offset: at as u16 * VECTOR_SIZE as u16 };
            visit(Capacity { pointer, address, length, keeps: false });
        }
    }
    true
}
