//! Writing small pieces of code for a known address, from our own instructions and from moved ones.

use super::decode::{Flow, Instruction};
use super::origins::Origins;
use super::refusal::Refusal;

/// The longest piece that is ever written, in bytes: eight moved instructions of the greatest length, and what
/// a stub adds to them.
pub const CAPACITY: usize = 160;

/// `jmp rel32`.
const JUMP: [u8; 1] = [0xe9];
/// The length of [`jump`], in bytes.
pub const JUMP_LENGTH: usize = 5;
/// `int3`: what is never reached stops at once if it is.
const FILL: u8 = 0xcc;

/// Code that will run at a known address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Assembled {
    bytes: [u8; CAPACITY],
    length: usize,
    address: u64,
    origins: Origins,
}

impl core::fmt::Debug for Assembled {
    fn fmt(&self, formatter: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(formatter, "{:#x}: {:02x?}", self.address, self.bytes())
    }
}

/// `jmp target`, to be written at `address`.
pub fn jump(address: u64, target: u64) -> Result<[u8; JUMP_LENGTH], Refusal> {
    let [a, b, c, d] = displacement(address.wrapping_add(JUMP_LENGTH as u64), target)?;
    Ok([JUMP[0], a, b, c, d])
}

/// The 32-bit distance from `next`, the address after the instruction that holds it, to `target`.
fn displacement(next: u64, target: u64) -> Result<[u8; 4], Refusal> {
    let distance = target.wrapping_sub(next) as i64;
    i32::try_from(distance).map(i32::to_le_bytes).map_err(|_| Refusal::TooFar)
}

impl Assembled {
    /// Nothing yet, to be run at `address`.
    pub fn at(address: u64) -> Assembled {
        Assembled { bytes: [FILL; CAPACITY], length: 0, address, origins: Origins::default() }
    }

    /// The code.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }

    /// Where it runs.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The address of what is added next.
    pub fn end(&self) -> u64 {
        self.address.wrapping_add(self.length as u64)
    }

    /// Where in the program its instructions came from.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// What is added next stands for what is at `address` in the program.
    pub(super) fn mark(&mut self, address: u64) {
        self.origins.mark(self.length, address);
    }

    /// Adds bytes that may stand anywhere.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let end = self.length + bytes.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(Refusal::NoRoom)?;
        room.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    /// Writes `bytes` over what was added at `address`.
    pub(crate) fn replace(&mut self, address: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let start = address.wrapping_sub(self.address) as usize;
        let place = self.bytes.get_mut(start..start + bytes.len()).ok_or(Refusal::NoRoom)?;
        place.copy_from_slice(bytes);
        Ok(())
    }

    /// Adds `instruction`, whose last four bytes are to be the distance from its end to `target`.
    pub(crate) fn push_relative(&mut self, instruction: &[u8], target: u64) -> Result<(), Refusal> {
        let end = self.end().wrapping_add(instruction.len() as u64 + 4);
        self.push(instruction)?;
        self.push(&displacement(end, target)?)
    }

    /// Adds a jump to the address that an 8-byte slot, added at once behind it, holds: reaches everywhere,
    /// touches no register.
    pub(super) fn push_far_jump(&mut self, target: u64) -> Result<(), Refusal> {
        const FAR_JUMP_LENGTH: u64 = 6;
        let slot = self.end().wrapping_add(FAR_JUMP_LENGTH).next_multiple_of(8);
        self.push_relative(&[0xff, 0x25], slot)?;
        while self.end() < slot {
            self.push(&[FILL])?;
        }
        self.push(&target.to_le_bytes())
    }

    /// Adds a call of `target` that returns to `next`: what unwinds the called function must find an address that unwind
    /// tables know.
    fn push_call(&mut self, target: u64, next: u64) -> Result<(), Refusal> {
        const PUSH_LENGTH: u64 = 6;
        let slot = self.end().wrapping_add(PUSH_LENGTH + JUMP_LENGTH as u64).next_multiple_of(8);
        self.push_relative(&[0xff, 0x35], slot)?;
        self.push_jump(target)?;
        while self.end() < slot {
            self.push(&[FILL])?;
        }
        self.push(&next.to_le_bytes())
    }

    /// Adds `jmp target`.
    pub(crate) fn push_jump(&mut self, target: u64) -> Result<(), Refusal> {
        self.push_relative(&JUMP, target)
    }

    /// As [`Assembled::push_moved`], of a call too: it returns to behind where it was, so nothing that is added after it is executed.
    pub(crate) fn push_moved_or_called(
        &mut self,
        bytes: &[u8],
        instruction: &Instruction,
        from: u64,
    ) -> Result<(), Refusal> {
        let Flow::Call { displacement } = instruction.flow else {
            return self.push_moved(bytes, instruction, from);
        };
        self.mark(from);
        let next = from.wrapping_add(instruction.length as u64);
        self.push_call(next.wrapping_add_signed(i64::from(displacement)), next)
    }

    /// Adds the instruction that `bytes`, taken from address `from`, begin with, so that it does here what it
    /// did there. Only what a change of address can alter is touched: the rest is copied byte by byte.
    pub(crate) fn push_moved(
        &mut self,
        bytes: &[u8],
        instruction: &Instruction,
        from: u64,
    ) -> Result<(), Refusal> {
        self.mark(from);
        let original = bytes.get(..instruction.length).ok_or(Refusal::Immovable(from))?;
        let next = from.wrapping_add(instruction.length as u64);
        let target = |displacement: i32| next.wrapping_add_signed(i64::from(displacement));
        match (instruction.flow, instruction.relative_operand) {
            (Flow::Next | Flow::Return | Flow::JumpIndirect, None) => self.push(original),
            (Flow::Next | Flow::JumpIndirect, Some(offset)) => {
                let immovable = Refusal::Immovable(from);
                let (start, rest) = original.split_at_checked(offset).ok_or(immovable)?;
                let (&old, immediate) = rest.split_first_chunk::<4>().ok_or(immovable)?;
                let end = self.end().wrapping_add(instruction.length as u64);
                let moved = displacement(end, target(i32::from_le_bytes(old)))?;
                self.push(start)?;
                self.push(&moved)?;
                self.push(immediate)
            }
            (Flow::Conditional { condition, displacement }, _) => {
                self.push_relative(&[0x0f, 0x80 | condition], target(displacement))
            }
            (Flow::Jump { displacement }, _) => self.push_jump(target(displacement)),
            _ => Err(Refusal::Immovable(from)),
        }
    }
}
