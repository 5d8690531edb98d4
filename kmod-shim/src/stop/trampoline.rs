//! What a passage of the stop's address goes through in replay.
//!
//! ```text
//!   trampoline:  mov  [saved], rcx
//!                mov  rcx, [count]                      if passages are counted
//!                lea  rcx, [rcx + 1]
//!                mov  [count], rcx
//!                mov  ecx, <a word of the state>        for each condition, the most telling first
//!                lea  ecx, [rcx - <its recorded value>]
//!                jrcxz next                             taken if they are equal
//!                jmp  other
//!        next:   ...
//!                mov  rcx, [saved]
//!      equal:    (trap)                                 all are equal: the handler compares the rest
//!      other:    mov  rcx, [saved]
//!      moved:    <the program's instructions>
//!                jmp  <behind them>
//! ```
//!
//! Neither flags nor stack nor any register but rcx is touched. `saved` and `count` are in a page behind the code that only
//! the trampoline writes.
//!
//! The program's instruction becomes a jump to it. If it is shorter than a jump, those that follow it are
//! overwritten too, and a branch to one of them would execute bytes of the jump's displacement. So the
//! trampoline is put where those bytes are what they were (the jump is a pun: Bauman, Lin and Chen's E9Patch, PLDI 2020,
//! calls it that); or, if nothing can be there, where they are instructions that trap: the handler then continues in
//! `moved`. Interpreters jump to such instructions all the time, by tables, and a trap takes two microseconds.

use super::place::{JUMP_LENGTH, Room};
use crate::patch::Refusal;
use crate::patch::assemble::{Assembled, CAPACITY, jump};

/// `int3`.
pub const BREAKPOINT: u8 = 0xcc;
/// `push es`, which 64-bit mode does not have, so that it raises SIGILL where it is. Replay has this instead of `int3`, whose signal a
/// debugger takes for its own.
pub const UNDEFINED: u8 = 0x06;
/// The unit of mappings, in bytes.
const PAGE: u64 = 4096;
/// Bytes that a trampoline's mapping takes: code that may cross a page boundary, and the page for data.
pub const MAPPING_LENGTH: u64 = 3 * PAGE;
/// How many conditions there can be.
pub const CONDITIONS: usize = 4;

/// Highest bytes of a displacement that are an instruction that 64-bit mode does not have.
const TRAPPING: [u8; 9] = [0xce, 0x3f, 0x37, 0x2f, 0x27, 0x1f, 0x1e, 0x0e, UNDEFINED];
/// Highest bytes of a displacement that need not be one: from 1 GiB below to 1 GiB above.
const ANY: [u8; 9] = [0xc0, 0xd0, 0xb0, 0xe0, 0xa0, 0x40, 0x30, 0x20, 0x60];

/// Where a word of the state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Half (0: low) of a general register, numbered as the processor numbers them.
    Register {
        /// 0 is rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, ... 15 r15.
        number: u8,
        /// 0 or 1.
        half: u8,
    },
    /// A 32-bit lane of an xmm register.
    Vector {
        /// 0 to 15.
        number: u8,
        /// 0 to 3.
        lane: u8,
    },
    /// Four bytes of memory.
    Memory {
        /// Where.
        address: u64,
    },
}

/// A word of the state, and what it was when the recording stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Where it is.
    pub source: Source,
    /// What it was.
    pub value: u32,
}

/// A trampoline for a known address.
pub struct Trampoline {
    /// The code.
    pub code: Assembled,
    /// The address of the [`UNDEFINED`] instruction that is met when all conditions hold.
    pub equal: u64,
    /// Where the program's instructions are.
    pub moved: [(u64, u64); JUMP_LENGTH],
    moved_count: usize,
}

impl Trampoline {
    /// Where the copy of the instruction at `address` is.
    pub fn moved(&self, address: u64) -> Option<u64> {
        let known = &self.moved[..self.moved_count];
        known.iter().find(|(original, _)| *original == address).map(|(_, copy)| *copy)
    }

    /// Where the instruction is whose copy is at `address`.
    pub fn original(&self, address: u64) -> Option<u64> {
        let known = &self.moved[..self.moved_count];
        known.iter().find(|(_, copy)| *copy == address).map(|(original, _)| *original)
    }
}

/// Where no trampoline may be: the first stack grows there without a system call.
const STACK: u64 = 0x7fff_ff00_0000;

/// The addresses where a trampoline for `room` may begin, best first.
pub fn candidates(room: &Room) -> impl Iterator<Item = u64> {
    let address = room.address;
    puns(room).chain(with_traps(room)).filter_map(move |displacement| landing(address, displacement))
}

/// Whether the jump can leave what is behind the room's first instruction as it is.
pub fn can_be_pun(room: &Room) -> bool {
    room.inner().next().is_none()
        || puns(room).any(|displacement| landing(room.address, displacement).is_some())
}

/// Where a jump at `address` goes, if a trampoline may be there.
fn landing(address: u64, displacement: i32) -> Option<u64> {
    let target = (address + JUMP_LENGTH as u64).checked_add_signed(i64::from(displacement))?;
    (16 * PAGE..STACK).contains(&target).then_some(target)
}

/// Displacements whose bytes behind the first instruction are what is there.
fn puns(room: &Room) -> impl Iterator<Item = i32> {
    const VARIANTS: u8 = 16;
    let present: [u8; 4] = core::array::from_fn(|index| room.bytes[index + 1]);
    let address = room.address;
    room.inner().next().into_iter().flat_map(move |second| {
        // Bytes of the displacement that are the first instruction's.
        let free = (second - address) as usize - 1;
        (0..if free == 0 { 1 } else { VARIANTS }).map(move |variant| {
            let mut bytes = present;
            bytes[..free].fill(0);
            if let Some(highest) = bytes[..free].last_mut() {
                *highest = variant << 4;
            }
            i32::from_le_bytes(bytes)
        })
    })
}

/// Displacements whose bytes, where instructions begin, trap.
fn with_traps(room: &Room) -> impl Iterator<Item = i32> {
    let mut traps = [false; 4];
    for inner in room.inner() {
        if let Some(byte) = traps.get_mut((inner - room.address) as usize - 1) {
            *byte = true;
        }
    }
    let low = core::array::from_fn::<u8, 3, _>(|index| if traps[index] { UNDEFINED } else { 0 });
    let variants = if traps[2] { 1 } else { 8 };
    let highest = if traps[3] { TRAPPING } else { ANY };
    highest.into_iter().flat_map(move |high| {
        (0..variants).map(move |variant: u8| {
            let middle = low[2].wrapping_add(variant << 4);
            i32::from_le_bytes([low[0], low[1], middle, high])
        })
    })
}

/// The start of the mapping for a trampoline at `address`.
pub fn mapping_start(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// The jump to the trampoline.
///
/// # Errors
/// It is too far away.
pub fn entry(room: &Room, trampoline: u64) -> Result<[u8; JUMP_LENGTH], Refusal> {
    jump(room.address, trampoline)
}

/// Where a trampoline at `address` counts its passages, in 8 bytes.
pub fn counter(address: u64) -> u64 {
    saved(address) + 128
}

/// Where it saves a register, and has room for others behind.
fn saved(address: u64) -> u64 {
    mapping_start(address) + 2 * PAGE
}

/// Composes the trampoline at `address` for the instructions in `room`. It may count passages ([`counter`]), before it compares.
///
/// # Errors
/// An instruction cannot be moved so far, or there are too many conditions for the room there is.
pub fn compose(
    room: &Room,
    address: u64,
    conditions: &[Condition],
    counts: bool,
) -> Result<Trampoline, Refusal> {
    if conditions.len() > CONDITIONS {
        return Err(Refusal::NoRoom);
    }
    let saved = saved(address);
    let mut code = Assembled::at(address);
    // mov [rip + saved], rcx
    code.push_relative(&[0x48, 0x89, 0x0d], saved)?;
    if counts {
        // mov rcx, [rip + counter]; lea rcx, [rcx + 1]; mov [rip + counter], rcx
        code.push_relative(&[0x48, 0x8b, 0x0d], counter(address))?;
        code.push(&[0x48, 0x8d, 0x49, 0x01])?;
        code.push_relative(&[0x48, 0x89, 0x0d], counter(address))?;
    }
    let mut failures = [None; CONDITIONS];
    for (condition, failure) in conditions.iter().zip(&mut failures) {
        load(&mut code, condition.source, saved)?;
        code.push(&[0x8d, 0x89])?;
        code.push(&condition.value.wrapping_neg().to_le_bytes())?;
        // jrcxz over the jump that follows
        code.push(&[0xe3, JUMP_LENGTH as u8])?;
        *failure = Some(code.end());
        code.push_jump(address)?;
    }
    // mov rcx, [rip + saved]
    code.push_relative(&[0x48, 0x8b, 0x0d], saved)?;
    let equal = code.end();
    code.push(&[UNDEFINED])?;
    let other = code.end();
    code.push_relative(&[0x48, 0x8b, 0x0d], saved)?;
    let mut moved = [(0, 0); JUMP_LENGTH];
    let mut moved_count = 0;
    for (from, bytes, instruction) in room.instructions() {
        moved[moved_count] = (from, code.end());
        moved_count += 1;
        code.push_moved_or_called(bytes, &instruction, from)?;
    }
    code.push_jump(room.address + room.length as u64)?;
    for failure in failures.into_iter().flatten() {
        code.replace(failure, &jump(failure, other)?)?;
    }
    debug_assert!(code.bytes().len() <= CAPACITY);
    Ok(Trampoline { code, equal, moved, moved_count })
}

/// Loads ecx with a word of the state.
fn load(code: &mut Assembled, source: Source, saved: u64) -> Result<(), Refusal> {
    const RCX: u8 = 1;
    let scratch = saved + 64;
    match source {
        // mov ecx, [rip + saved + 4 * half]
        Source::Register { number: RCX, half } => {
            code.push_relative(&[0x8b, 0x0d], saved + 4 * u64::from(half))
        }
        // mov ecx, register
        Source::Register { number, half: 0 } => {
            if number >= 8 {
                code.push(&[0x44])?;
            }
            code.push(&[0x89, 0xc1 | (number & 7) << 3])
        }
        // mov [rip + scratch], register; mov ecx, [rip + scratch + 4]
        Source::Register { number, .. } => {
            let rex = 0x48 | (number >> 3) << 2;
            code.push_relative(&[rex, 0x89, 0x05 | (number & 7) << 3], scratch)?;
            code.push_relative(&[0x8b, 0x0d], scratch + 4)
        }
        // movups [rip + scratch], xmm; mov ecx, [rip + scratch + 4 * lane]
        Source::Vector { number, lane } => {
            if number >= 8 {
                code.push(&[0x44])?;
            }
            code.push_relative(&[0x0f, 0x11, 0x05 | (number & 7) << 3], scratch)?;
            code.push_relative(&[0x8b, 0x0d], scratch + 4 * u64::from(lane))
        }
        // movabs rcx, address; mov ecx, [rcx]
        Source::Memory { address } => {
            code.push(&[0x48, 0xb9])?;
            code.push(&address.to_le_bytes())?;
            code.push(&[0x8b, 0x09])
        }
    }
}
