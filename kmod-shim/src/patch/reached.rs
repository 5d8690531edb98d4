//! Generated code, which has no unwind tables: what execution comes to from a place where it is.

use super::decode::{Flow, Instruction, LONGEST_INSTRUCTION, decode};
use super::eh_frame::Segment;
use crate::arch::native::trap::Trapped;

/// How much is looked through at once: a page, in bytes.
pub const PIECE: usize = 4096;
/// What [`Reached::from`] needs at most: the piece, and the rest of its last instruction.
pub const READ: usize = PIECE + LONGEST_INSTRUCTION;

/// Places of a piece.
struct Places([u64; PIECE / 64]);

impl Places {
    const NONE: Places = Places([0; PIECE / 64]);

    fn add(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn take_first(&mut self) -> Option<usize> {
        let (index, word) = self.0.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        Some(64 * index + bit)
    }
}

/// The instructions that begin in the first [`PIECE`] bytes of some code, and that execution comes to by falling
/// through, by branches and calls in the piece, and by returning from calls.
pub struct Reached<'a> {
    code: &'a Segment<'a>,
    starts: Places,
    /// Bytes of those instructions.
    covered: Places,
    goes_elsewhere: bool,
}

impl<'a> Reached<'a> {
    /// What execution comes to from `entry`, where an instruction begins.
    pub fn from(code: &'a Segment<'a>, entry: u64) -> Reached<'a> {
        let (starts, covered) = (Places::NONE, Places::NONE);
        let mut reached = Reached { code, starts, covered, goes_elsewhere: false };
        let mut pending = Places::NONE;
        reached.come_to(entry, &mut pending);
        while let Some(place) = pending.take_first() {
            reached.follow(place, &mut pending);
        }
        reached
    }

    fn follow(&mut self, mut place: usize, pending: &mut Places) {
        while !self.starts.contains(place) {
            let Some(instruction) = self.at(place) else {
                // Behind the piece, or nothing that the decoder vouches for.
                self.goes_elsewhere = true;
                return;
            };
            self.starts.add(place);
            (place..place + instruction.length).for_each(|byte| self.covered.add(byte));
            place += instruction.length;
            let end = self.code.address + place as u64;
            match instruction.flow {
                Flow::Conditional { displacement, .. } | Flow::ConditionalFixed { displacement } => {
                    self.come_to(end.wrapping_add_signed(i64::from(displacement)), pending);
                }
                Flow::Call { displacement } => {
                    let target = end.wrapping_add_signed(i64::from(displacement));
                    if self.place_of(target).is_some() {
                        self.come_to(target, pending);
                    }
                }
                Flow::Jump { displacement } => {
                    return self.come_to(end.wrapping_add_signed(i64::from(displacement)), pending);
                }
                Flow::JumpIndirect => {
                    self.goes_elsewhere = true;
                    return;
                }
                Flow::Return | Flow::Trap => return,
                Flow::Next | Flow::CallIndirect | Flow::Syscall => {}
            }
        }
    }

    fn come_to(&mut self, address: u64, pending: &mut Places) {
        match self.place_of(address) {
            Some(place) => pending.add(place),
            None => self.goes_elsewhere = true,
        }
    }

    fn place_of(&self, address: u64) -> Option<usize> {
        let place = usize::try_from(address.checked_sub(self.code.address)?).ok()?;
        (place < PIECE).then_some(place)
    }

    fn at(&self, place: usize) -> Option<Instruction> {
        decode(self.code.bytes.get(place..).filter(|_| place < PIECE)?)
    }

    fn is_cpuid(&self, place: usize) -> bool {
        let bytes = self.code.bytes.get(place..).and_then(|rest| rest.first_chunk());
        bytes.is_some_and(|[first, second]| Trapped::decode([*first, *second, 0]) == Some(Trapped::Cpuid))
    }

    fn starts(&self) -> impl Iterator<Item = usize> {
        (0..PIECE).filter(|place| self.starts.contains(*place))
    }

    /// The addresses of those that are `cpuid`.
    pub fn cpuids(&self) -> impl Iterator<Item = u64> {
        self.starts().filter(|place| self.is_cpuid(*place)).map(|place| self.code.address + place as u64)
    }

    /// The addresses of those that return, as one byte and nothing else.
    pub fn returns(&self) -> impl Iterator<Item = u64> {
        const RETURN: u8 = 0xc3;
        let is = |place: &usize| self.code.bytes.get(*place) == Some(&RETURN);
        self.starts().filter(is).map(|place| self.code.address + place as u64)
    }

    /// Whether execution leaves them by other ways than to return, or to call.
    pub fn goes_elsewhere(&self) -> bool {
        let returns = |place: usize| {
            self.at(place).is_some_and(|found| found.flow == Flow::Return && found.length != 1)
        };
        self.goes_elsewhere || self.starts().any(returns)
    }

    /// Whether there are bytes of a `cpuid` of which it cannot be told whether they are one: execution comes to them
    /// from elsewhere, or never.
    pub fn leaves_doubts(&self) -> bool {
        (0..PIECE).any(|place| self.is_cpuid(place) && !self.covered.contains(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 0x7000_0000;

    fn found(bytes: &[u8], entry: u64) -> Vec<u64> {
        let code = Segment { address: START, bytes };
        Reached::from(&code, START + entry).cpuids().map(|address| address - START).collect()
    }

    #[test]
    fn a_branch_and_what_it_passes_over_are_both_followed() {
        // je 5; cpuid; ret; cpuid; jmp 2
        assert_eq!(found(&[0x74, 3, 0x0f, 0xa2, 0xc3, 0x0f, 0xa2, 0xeb, 0xf9], 0), [2, 5]);
    }

    #[test]
    fn what_execution_does_not_come_to_is_left_alone() {
        // mov eax, 0x0000a20f; jmp 9; cpuid; ret
        let bytes = [0xb8, 0x0f, 0xa2, 0, 0, 0xeb, 2, 0x0f, 0xa2, 0xc3];
        assert_eq!(found(&bytes, 0), []);
        assert_eq!(found(&bytes, 7), [7]);
        let code = Segment { address: START, bytes: &bytes };
        let reached = Reached::from(&code, START);
        assert!(reached.leaves_doubts() && !reached.goes_elsewhere());
        assert_eq!(reached.returns().collect::<Vec<_>>(), [START + 9]);
        // The constant, which it does not come to from there.
        assert!(Reached::from(&code, START + 7).leaves_doubts());
        assert!(!Reached::from(&Segment { address: START, bytes: &bytes[..5] }, START).leaves_doubts());
    }

    #[test]
    fn execution_returns_from_calls() {
        // call 7; cpuid; at 7: cpuid; ret
        assert_eq!(found(&[0xe8, 2, 0, 0, 0, 0x0f, 0xa2, 0x0f, 0xa2, 0xc3], 0), [5, 7]);
    }

    #[test]
    fn where_execution_goes_elsewhere_is_told() {
        let goes = |bytes: &[u8]| Reached::from(&Segment { address: START, bytes }, START).goes_elsewhere();
        assert!(!goes(&[0xc3]));
        // ret 8; jmp rax; jmp far away; je behind the code; a call far away, and a return
        assert!(goes(&[0xc2, 8, 0]));
        assert!(goes(&[0xff, 0xe0]));
        assert!(goes(&[0xe9, 0, 0, 1, 0]));
        assert!(goes(&[0x0f, 0x84, 0, 0, 1, 0, 0xc3]));
        assert!(!goes(&[0xe8, 0, 0, 1, 0, 0xc3]));
    }

    #[test]
    fn the_piece_ends_where_it_ends() {
        let mut bytes = vec![0x90; READ];
        bytes[PIECE - 1..PIECE + 3].copy_from_slice(&[0x0f, 0xa2, 0x0f, 0xa2]);
        assert_eq!(found(&bytes, 0), [PIECE as u64 - 1]);
        assert_eq!(found(&bytes, PIECE as u64), []);
        assert!(Reached::from(&Segment { address: START, bytes: &bytes }, START).goes_elsewhere());
    }
}
