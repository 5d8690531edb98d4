//! Instructions of the program that were replaced by one that traps, so that they can be logged or are safepoints.

use super::{Calls, UNDEFINED};
use crate::stop::{FLAGS, REGISTERS};
use alloc::vec::Vec;
use core::ops::Range;
use kmod_shim::arch::native::trap::Trapped;
use kmod_shim::patch::kernel::{Kernel, Piece};
use kmod_shim::stop::place::Branch;

/// How often in a row the branch of a loop is passed with other registers than the time before, until it is let go: what
/// runs there now does not wait, and each time costs more than a microsecond.
const MOST_OTHERS: u32 = 1000;

/// What was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caught {
    /// One that is performed for the program.
    Instruction(Trapped),
    /// The branch back of a loop in which a thread was seen to spin.
    Branch(Loop),
}

/// A loop in which a thread was seen to spin; in the same code it, or another one, may have something to do the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    branch: Branch,
    /// Registers when the branch was passed last.
    registers: [u64; REGISTERS],
    /// How often in a row they were other than the time before.
    others: u32,
}

impl Loop {
    /// One that was not passed yet.
    pub fn new(branch: Branch) -> Loop {
        Loop { branch, registers: [0; REGISTERS], others: 0 }
    }
}

/// All of them.
pub struct List(Vec<(u64, Caught)>);

impl List {
    /// None.
    pub const fn new() -> List {
        List(Vec::new())
    }

    /// Makes the instruction at `address` trap. What cannot be changed now could be a moment ago, and replay changes it
    /// where recording did.
    pub fn catch(&mut self, address: u64, caught: Caught) {
        if self.at(address).is_some() {
            return;
        }
        // A compiler may have put this where another one was.
        self.0.retain(|(known, _)| *known != address);
        // SAFETY: an instruction of at least this length, in which no branch ends; the program is stopped here.
        if unsafe { Calls.write(&[Piece { address, bytes: &UNDEFINED }]) } == 0 {
            self.0.push((address, caught));
        }
    }

    /// Adds instructions that were replaced.
    pub fn add(&mut self, found: Vec<(u64, Trapped)>) {
        self.0.extend(found.into_iter().map(|(address, trapped)| (address, Caught::Instruction(trapped))));
    }

    /// The instruction that was replaced at `address`, if nothing has been written over it since.
    pub fn at(&self, address: u64) -> Option<Caught> {
        let (_, caught) = self.0.iter().find(|(known, _)| *known == address)?;
        (crate::log::read_value(address) == Some(UNDEFINED)).then_some(*caught)
    }

    /// The branch at `address` is passed with these registers. Where the thread goes on, and whether it spins: registers
    /// are what they were the last time.
    ///
    /// All of this depends on what the program does, so that it is the same in replay.
    pub fn pass(&mut self, address: u64, registers: &[u64; REGISTERS]) -> Option<(u64, bool)> {
        let place = self.0.iter().position(|(known, _)| *known == address)?;
        let Caught::Branch(passed) = &mut self.0[place].1 else { return None };
        let target = passed.branch.goes_to(registers[FLAGS]);
        if target != passed.branch.target {
            return Some((target, false));
        }
        let spins = passed.registers == *registers;
        passed.registers = *registers;
        passed.others = if spins { 0 } else { passed.others + 1 };
        if passed.others >= MOST_OTHERS {
            let bytes = passed.branch.bytes;
            // SAFETY: the bytes that were there; the program is stopped here.
            unsafe { Calls.write(&[Piece { address, bytes: &bytes }]) };
            self.0.swap_remove(place);
        }
        Some((target, spins))
    }

    /// The code in `range` is gone.
    pub fn forget(&mut self, range: &Range<u64>) {
        self.0.retain(|(address, _)| !range.contains(address));
    }
}
