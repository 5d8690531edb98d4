//! Where a thread can be stopped: instructions that it will execute soon, and that can be executed elsewhere.
//!
//! Code is decoded forwards from where the thread is, which needs no unwind tables, so it works for generated
//! code too. The first branch backwards to or before that place closes the innermost loop around it.

use super::trampoline::can_be_pun;
use crate::patch::decode::{Flow, Instruction, decode};

/// How far forwards code is read, in bytes.
const WINDOW: usize = 2048;
/// How many instructions are looked at.
const INSTRUCTIONS: usize = 384;
/// How long a loop's part before the thread may be, in bytes.
const LONGEST_LOOP_HEAD: u64 = 2048;
/// The bytes that a jump needs.
pub const JUMP_LENGTH: usize = 5;

/// Reads code at an address into a buffer; gives how many bytes could be read.
pub type ReadCode<'a> = &'a dyn Fn(u64, &mut [u8]) -> usize;

/// The instructions around a place, in the order in which a thread there comes to them if no branch is taken
/// but the one that closes the loop.
pub struct Surroundings {
    placed: [(u64, Instruction); INSTRUCTIONS],
    count: usize,
    /// How many of them follow each other without any branch, from the place itself on.
    straight: usize,
    /// The address after the branch that closes the innermost loop.
    exit: Option<u64>,
}

/// Part of a program's code, copied.
struct Code {
    address: u64,
    bytes: [u8; WINDOW],
    length: usize,
}

impl Code {
    fn read(read: ReadCode, address: u64, limit: usize) -> Code {
        let mut code = Code { address, bytes: [0; WINDOW], length: 0 };
        code.length = read(address, &mut code.bytes[..limit.min(WINDOW)]);
        code
    }

    fn from(&self, address: u64) -> &[u8] {
        let offset = address.wrapping_sub(self.address) as usize;
        self.bytes.get(offset..self.length).unwrap_or_default()
    }
}

const NOTHING: (u64, Instruction) = (0, Instruction { length: 1, flow: Flow::Trap, relative_operand: None });

impl Surroundings {
    /// Reads the code around `place`, where an instruction begins.
    pub fn read(read: ReadCode, place: u64) -> Surroundings {
        let mut found = Surroundings { placed: [NOTHING; INSTRUCTIONS], count: 0, straight: 0, exit: None };
        let code = Code::read(read, place, WINDOW);
        let mut address = place;
        let mut is_straight = true;
        while let Some(instruction) = decode(code.from(address)) {
            let end = address + instruction.length as u64;
            if !found.push(address, instruction) {
                return found;
            }
            is_straight &= instruction.flow == Flow::Next;
            found.straight += usize::from(is_straight);
            match instruction.flow {
                Flow::Conditional { displacement, .. }
                | Flow::ConditionalFixed { displacement }
                | Flow::Jump { displacement } => {
                    let target = end.wrapping_add_signed(i64::from(displacement));
                    if target <= place && place - target <= LONGEST_LOOP_HEAD {
                        found.close_loop(read, target, place, end);
                        return found;
                    }
                }
                Flow::Return | Flow::JumpIndirect | Flow::Trap => return found,
                _ => {}
            }
            // What lies behind a jump need not be code, unless a branch goes there.
            if matches!(instruction.flow, Flow::Jump { .. }) && !found.targets().any(|target| target == end) {
                return found;
            }
            address = end;
        }
        found
    }

    fn push(&mut self, address: u64, instruction: Instruction) -> bool {
        let Some(free) = self.placed.get_mut(self.count) else { return false };
        *free = (address, instruction);
        self.count += 1;
        true
    }

    /// Adds the part of the loop that begins at `head` and lies before `place`, if it leads there.
    fn close_loop(&mut self, read: ReadCode, head: u64, place: u64, exit: u64) {
        let before = self.count;
        let code = Code::read(read, head, (place - head) as usize);
        let mut address = head;
        while address < place {
            let Some(instruction) = decode(code.from(address)) else { break };
            if !self.push(address, instruction) {
                break;
            }
            address += instruction.length as u64;
        }
        if address == place {
            self.exit = Some(exit);
        } else {
            self.count = before;
        }
    }

    /// Where the thread comes when it leaves the innermost loop.
    pub fn loop_exit(&self) -> Option<u64> {
        self.exit
    }

    /// The first instruction behind it that is no jump elsewhere.
    pub fn behind_loop(&self, read: ReadCode) -> Option<u64> {
        const JUMPS: usize = 4;
        let mut address = self.exit?;
        for _ in 0..JUMPS {
            let mut bytes = [0; JUMP_LENGTH];
            let length = read(address, &mut bytes);
            match decode(&bytes[..length]) {
                Some(Instruction { length, flow: Flow::Jump { displacement }, .. }) => {
                    address = (address + length as u64).wrapping_add_signed(i64::from(displacement));
                }
                _ => break,
            }
        }
        Some(address)
    }

    /// The branch that closes the innermost loop.
    pub fn back_branch(&self, read: ReadCode) -> Option<Branch> {
        let behind = self.exit?;
        let closes =
            |(address, instruction): &&(u64, Instruction)| address + instruction.length as u64 == behind;
        let (address, instruction) = self.placed[..self.count].iter().find(closes)?;
        let (condition, displacement) = match instruction.flow {
            Flow::Conditional { condition, displacement } => (Some(condition), displacement),
            Flow::Jump { displacement } => (None, displacement),
            _ => return None,
        };
        let mut bytes = [0; 2];
        let target = behind.wrapping_add_signed(i64::from(displacement));
        (read(*address, &mut bytes) == bytes.len()).then_some(Branch {
            address: *address,
            bytes,
            condition,
            target,
            behind,
        })
    }

    /// A `pause` in the innermost loop: the thread spins.
    pub fn pause(&self, read: ReadCode) -> Option<u64> {
        const PAUSE: [u8; 2] = [0xf3, 0x90];
        self.exit?;
        let all = self.placed[..self.count].iter().map(|(address, _)| *address);
        all.into_iter().find(|address| {
            let mut bytes = [0; PAUSE.len()];
            read(*address, &mut bytes) == bytes.len() && bytes == PAUSE
        })
    }

    /// An instruction in the loop, or (without a loop) among those that follow without a branch, where a jump fits.
    pub fn inside(&self, read: ReadCode) -> Option<u64> {
        self.with_jump(read, if self.exit.is_some() { self.count } else { self.straight })
    }

    /// An instruction that the thread executes next whatever happens, where a jump fits.
    pub fn next(&self, read: ReadCode) -> Option<u64> {
        self.with_jump(read, self.reach())
    }

    /// How many instructions the thread comes to whatever happens: the last one may lead elsewhere.
    fn reach(&self) -> usize {
        (self.straight + 1).min(self.count)
    }

    /// An instruction where a jump fits, anywhere in what was read.
    pub fn around(&self, read: ReadCode) -> Option<u64> {
        self.with_jump(read, self.count)
    }

    /// An instruction that the thread executes next whatever happens, where a breakpoint can be: the return from
    /// the function if there is one, else the first.
    pub fn first(&self, read: ReadCode) -> Option<u64> {
        let next = &self.placed[..self.reach()];
        let returns = next.last().filter(|(_, instruction)| instruction.flow == Flow::Return);
        let first = || next.iter().find(|(address, _)| Room::at(read, *address).is_some());
        returns.or_else(first).map(|(address, _)| *address)
    }

    /// One of the instructions of the innermost loop, or (without a loop) of those that the thread comes to next,
    /// that `choice` picks. Those that a jump fits into, if there are any.
    pub fn any(&self, read: ReadCode, choice: usize) -> Option<u64> {
        let reach = if self.exit.is_some() { self.count } else { self.straight };
        let room = |address: u64| Room::at(read, address);
        let all = || self.placed[..reach].iter().map(|(address, _)| *address);
        let fits = |address: &u64| room(*address).is_some_and(|room| room.has_jump() && !self.enters(&room));
        let pick = |count: usize| if count == 0 { 0 } else { choice % count };
        let spacious = all().filter(fits).nth(pick(all().filter(fits).count()));
        let can_be = |address: &u64| room(*address).is_some();
        spacious.or_else(|| all().filter(can_be).nth(pick(all().filter(can_be).count())))
    }

    /// Prefers instructions that a jump fits into to those that it fits into with others that follow them; and of
    /// those, where the others can stay as they are ([`can_be_pun`]), since branches that are not read here
    /// may lead to them.
    fn with_jump(&self, read: ReadCode, reach: usize) -> Option<u64> {
        let all = &self.placed[..reach];
        let room = |address: u64| Room::at(read, address).filter(Room::has_jump);
        let single = all
            .iter()
            .find(|(address, instruction)| instruction.length >= JUMP_LENGTH && room(*address).is_some());
        let pun = || all.iter().find(|(address, _)| room(*address).is_some_and(|room| can_be_pun(&room)));
        let run = || all.iter().find(|(address, _)| room(*address).is_some_and(|room| !self.enters(&room)));
        single.or_else(pun).or_else(run).map(|(address, _)| *address)
    }

    /// Whether a branch that was read goes to an instruction of `room` other than the first.
    fn enters(&self, room: &Room) -> bool {
        self.targets().any(|target| room.inner().any(|start| start == target))
    }

    /// Where the branches that were read go.
    fn targets(&self) -> impl Iterator<Item = u64> {
        self.placed[..self.count].iter().filter_map(|(address, instruction)| match instruction.flow {
            Flow::Conditional { displacement, .. }
            | Flow::ConditionalFixed { displacement }
            | Flow::Jump { displacement } => {
                let end = address + instruction.length as u64;
                Some(end.wrapping_add_signed(i64::from(displacement)))
            }
            _ => None,
        })
    }

    /// The addresses of operands that are addressed relative to the instruction, in all that was read.
    pub fn relative_operands<'a>(&'a self, read: ReadCode<'a>) -> impl Iterator<Item = u64> + 'a {
        self.placed[..self.count].iter().filter_map(move |(address, instruction)| {
            let offset = instruction.relative_operand?;
            let mut bytes = [0; 4];
            (read(address + offset as u64, &mut bytes) == bytes.len()).then(|| {
                let end = address + instruction.length as u64;
                end.wrapping_add_signed(i64::from(i32::from_le_bytes(bytes)))
            })
        })
    }
}

/// A branch back to the beginning of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Where it is.
    pub address: u64,
    /// Its first bytes; it has no fewer.
    pub bytes: [u8; 2],
    /// When it is taken, as the processor numbers conditions; `None` for always.
    condition: Option<u8>,
    /// Where it goes.
    pub target: u64,
    /// The address behind it.
    behind: u64,
}

impl Branch {
    /// Where the program goes on with these flags.
    ///
    /// Conditions: Intel SDM volume 1, appendix B: bits 1 to 3 choose what is looked at, bit 0 negates it.
    pub fn goes_to(&self, flags: u64) -> u64 {
        let [carry, parity, zero, sign, overflow] = [0, 2, 6, 7, 11].map(|bit| flags >> bit & 1 != 0);
        let holds = |condition: u8| match condition >> 1 {
            0 => overflow,
            1 => carry,
            2 => zero,
            3 => carry || zero,
            4 => sign,
            5 => parity,
            6 => sign != overflow,
            _ => zero || sign != overflow,
        };
        let taken = self.condition.is_none_or(|condition| holds(condition) != (condition & 1 != 0));
        if taken { self.target } else { self.behind }
    }
}

/// The instructions that make room for a jump, or the one that makes room for a breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Where the first begins.
    pub address: u64,
    starts: [u8; JUMP_LENGTH],
    count: usize,
    /// Bytes of all of them.
    pub length: usize,
    /// The instructions themselves.
    pub bytes: [u8; 32],
}

impl Room {
    /// What is at `address`; `None` if that instruction cannot be executed elsewhere.
    pub fn at(read: ReadCode, address: u64) -> Option<Room> {
        let mut room = Room { address, starts: [0; JUMP_LENGTH], count: 0, length: 0, bytes: [0; 32] };
        let readable = read(address, &mut room.bytes);
        while room.length < JUMP_LENGTH {
            let rest = &room.bytes[room.length..readable.max(room.length)];
            let Some(instruction) = decode(rest).filter(|instruction| is_movable(rest, instruction)) else {
                break;
            };
            room.starts[room.count] = room.length as u8;
            room.count += 1;
            room.length += instruction.length;
            if !matches!(instruction.flow, Flow::Next | Flow::Conditional { .. }) {
                break;
            }
        }
        if room.length < JUMP_LENGTH && room.count > 0 {
            // A breakpoint replaces one instruction only.
            room.count = 1;
            room.length = decode(&room.bytes)?.length;
        }
        (room.count > 0).then_some(room)
    }

    /// Whether a jump fits, and not merely a breakpoint.
    pub fn has_jump(&self) -> bool {
        self.length >= JUMP_LENGTH
    }

    /// The address behind its first instruction, if that is always executed next.
    pub fn behind_first(&self) -> Option<u64> {
        let first = decode(&self.bytes).filter(|instruction| instruction.flow == Flow::Next)?;
        Some(self.address + first.length as u64)
    }

    /// Whether its first instruction returns to an address on the stack.
    pub fn returns(&self) -> bool {
        decode(&self.bytes).is_some_and(|instruction| instruction.flow == Flow::Return)
    }

    /// Where its instructions begin, the first excepted: a jump's bytes there may be executed by a branch.
    pub fn inner(&self) -> impl Iterator<Item = u64> {
        let (address, starts) = (self.address, self.starts);
        (1..self.count).map(move |index| address + u64::from(starts[index]))
    }

    /// Its instructions, with their addresses and bytes.
    pub fn instructions(&self) -> impl Iterator<Item = (u64, &[u8], Instruction)> {
        (0..self.count).filter_map(|index| {
            let start = usize::from(self.starts[index]);
            let bytes = self.bytes.get(start..)?;
            Some((self.address + start as u64, bytes, decode(bytes)?))
        })
    }
}

/// Whether the instruction can be executed at another address.
fn is_movable(bytes: &[u8], instruction: &Instruction) -> bool {
    let flow_moves = matches!(
        instruction.flow,
        Flow::Next
            | Flow::Return
            | Flow::JumpIndirect
            | Flow::Conditional { .. }
            | Flow::Jump { .. }
            | Flow::Call { .. }
    );
    flow_moves && !is_special(bytes)
}

/// Instructions that can be interrupted half-way (string instructions: a breakpoint on one is not met again
/// when it goes on), that trap, or that make the trap itself visible.
fn is_special(bytes: &[u8]) -> bool {
    let prefixes = bytes.iter().take_while(|byte| {
        matches!(
            byte,
            0x66 | 0x67 | 0xf0 | 0xf2 | 0xf3 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65 | 0x40..=0x4f
        )
    });
    match bytes.get(prefixes.count()..) {
        // rdtsc, cpuid; system instructions (rdtscp, xgetbv and others).
        Some([0x0f, 0x31 | 0xa2 | 0x01, ..]) => true,
        // String instructions, pushf, popf, in, out.
        Some([0xa4..=0xa7 | 0xaa..=0xaf | 0x6c..=0x6f | 0x9c | 0x9d | 0xe4..=0xe7 | 0xec..=0xef, ..]) => true,
        // VEX- and EVEX-encoded ones are none of these.
        Some([_, ..]) => false,
        _ => true,
    }
}
