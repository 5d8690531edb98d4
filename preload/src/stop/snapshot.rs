//! The state of the program at a stop: what recording logs and replay compares.
//!
//! In the log it is an item's data, numbers of 8 bytes:
//!
//! | words | what |
//! | --- | --- |
//! | 18 | r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags |
//! | 1 | hash of the extended (x87, vector...) state |
//! | 1 | hash of memory |
//! | 32 | xmm0 to xmm15 |
//! | 1 | hash of the pages with the code there |
//! | 1 | processor time of the thread so far, in microseconds |
//! | the rest | windows: address, length, and so many bytes of memory |
//!
//! The first window is the code itself. The others are memory that it is likely to change: around addresses in registers, where
//! instructions have operands relative to themselves, and what was other when the place was passed before. When replay passes the place with equal registers but
//! other memory, it finds there a word to look at first.

use super::changes::Changes;
use super::{guard, memory};
use crate::{kernel, log};
use core::ops::Range;
use kmod_shim::arch::native::{extended_state, signal_frame::MachineContext, user_memory};
use kmod_shim::stop::trampoline::{Condition, Source};
use tracer_core::session::debugger::STATE_CODE;
use xxhash_rust::xxh3::xxh3_64;

/// General registers, rip and flags, as the kernel's frame has them in front.
pub const REGISTERS: usize = 18;
/// The stack pointer among them.
pub const STACK_POINTER: usize = 15;
/// The instruction pointer among them.
pub const INSTRUCTION_POINTER: usize = 16;
/// The flags among them.
pub const FLAGS: usize = 17;
const EXTENDED: usize = 18;
const MEMORY: usize = 19;
const VECTORS: usize = 20;
const CODE: usize = 52;
const TIME: usize = 53;
const WINDOWS: usize = 54;
/// The processor's numbers of the first 16 of the kernel's order.
const NUMBERS: [u8; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4];
/// Trap and resume flag: not the program's.
const NOT_THE_PROGRAMS: u64 = 0x100 | 0x1_0000;
/// Offset of xmm0 in the extended state.
const VECTORS_OFFSET: u64 = 160;
/// Bytes that an extended state can have: with AMX tiles it takes 11 KiB.
const EXTENDED_CAPACITY: usize = 16 << 10;
/// How many pages are added whole.
const FRESH_PAGES: usize = 4;
/// Words that a snapshot can have.
const CAPACITY: usize = 4096;

/// A snapshot's words.
pub struct Snapshot {
    words: [u64; CAPACITY],
    length: usize,
    changes: Changes,
    extended: Extended,
}

/// A copy of an extended state, which is canonicalised. What the processor has stays as it is: programs can see
/// which components it takes for unused (ld.so saves them, on the stack, when it binds a function), and replay
/// looks at the state more often than recording.
#[repr(C, align(64))]
struct Extended([u8; EXTENDED_CAPACITY]);

impl Snapshot {
    /// Nothing.
    pub const EMPTY: Snapshot = Snapshot {
        words: [0; CAPACITY],
        length: 0,
        changes: Changes::NONE,
        extended: Extended([0; EXTENDED_CAPACITY]),
    };

    /// Takes the state in `machine`. False if it cannot be identified here. `operands` are addresses that
    /// instructions there use.
    pub fn take(&mut self, machine: &MachineContext, operands: impl Iterator<Item = u64>) -> bool {
        let Some(memory) = self.changes.hash(machine.rsp) else { return false };
        self.fill(machine, memory, operands)
    }

    /// The same in replay, where our mapping at `hidden` is not the program's.
    pub fn take_again(
        &mut self,
        machine: &MachineContext,
        operands: impl Iterator<Item = u64>,
        hidden: Range<u64>,
    ) -> bool {
        let Some(memory) = memory::hash(machine.rsp, hidden) else { return false };
        self.fill(machine, memory, operands)
    }

    fn fill(&mut self, machine: &MachineContext, memory: u64, operands: impl Iterator<Item = u64>) -> bool {
        self.words[..REGISTERS].copy_from_slice(&registers(machine));
        let Some(extended) = self.extended.hash(machine) else { return false };
        self.words[EXTENDED] = extended;
        self.words[MEMORY] = memory;
        self.words[VECTORS..CODE].copy_from_slice(&vectors(machine));
        self.words[CODE] = guard::hash(machine.rip);
        self.words[TIME] = kernel::thread_time();
        self.length = WINDOWS;
        self.add_window(machine.rip..machine.rip + STATE_CODE);
        self.add_window(machine.rsp.wrapping_sub(128)..machine.rsp.wrapping_add(256));
        self.add_window(machine.rbp.wrapping_sub(192)..machine.rbp.wrapping_add(64));
        for index in (0..STACK_POINTER).filter(|index| NUMBERS[*index] != 5) {
            let address = self.words[index];
            self.add_window(address.wrapping_sub(64)..address.wrapping_add(64));
        }
        for address in operands {
            self.add_window(address..address.wrapping_add(32));
        }
        self.add_changes();
        true
    }

    /// Adds words that have changed, each a window of its own. Without any, whole pages.
    fn add_changes(&mut self) {
        for (address, word) in self.changes.words() {
            let Some(place) = self.words.get_mut(self.length..self.length + 3) else { return };
            place.copy_from_slice(&[*address, 8, *word]);
            self.length += 3;
        }
        if self.changes.words().is_empty() {
            for index in 0..self.changes.fresh().len().min(FRESH_PAGES) {
                let page = self.changes.fresh()[index];
                self.add_window(page..page + memory::PAGE as u64);
            }
        }
    }

    /// Looks at memory, so that the next snapshot has what is other then.
    pub fn prepare(&mut self, machine: &MachineContext) {
        // Where memory cannot be hashed, the snapshot will find that out too.
        let _ = self.changes.hash(machine.rsp);
    }

    /// Adds the memory in `range`, if it can be read and there is room.
    fn add_window(&mut self, range: Range<u64>) {
        let begin = range.start & !7;
        let words = (range.end.wrapping_sub(begin) / 8) as usize;
        let Some(place) = self.words.get_mut(self.length..self.length + 2 + words) else { return };
        let target = place[2..].as_mut_ptr().cast::<u8>();
        // SAFETY: the target has 8 * words bytes; a bad source makes the copy fail, not fault.
        if unsafe { user_memory::copy(target, begin as *const u8, 8 * words) } {
            place[0] = begin;
            place[1] = 8 * words as u64;
            self.length += 2 + words;
        }
    }

    /// The words as bytes, for the log.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: any words are valid bytes.
        unsafe { core::slice::from_raw_parts(self.words.as_ptr().cast(), 8 * self.length) }
    }

    /// Takes a snapshot from the log. False if that is none.
    pub fn read(&mut self, bytes: &[u8]) -> bool {
        let (words, rest) = bytes.as_chunks::<8>();
        rest.is_empty() && self.adopt(words.iter().map(|word| u64::from_le_bytes(*word)))
    }

    /// Takes a snapshot's words. False if they are none.
    pub fn adopt(&mut self, words: impl ExactSizeIterator<Item = u64>) -> bool {
        if words.len() < WINDOWS || words.len() > CAPACITY {
            return false;
        }
        self.length = words.len();
        self.words.iter_mut().zip(words).for_each(|(to, from)| *to = from);
        true
    }

    /// Where the program was.
    pub fn address(&self) -> u64 {
        self.words[INSTRUCTION_POINTER]
    }

    /// General registers, instruction pointer and flags.
    pub fn registers(&self) -> &[u64] {
        &self.words[..REGISTERS]
    }

    /// Whether the instructions there are what they were.
    pub fn has_same_instructions(&self) -> bool {
        let [address, length, data @ ..] = &self.words[WINDOWS..self.length] else { return false };
        let words = data.iter().take((length / 8) as usize);
        *address == self.address() & !7
            && words.zip(0..).all(|(then, index)| log::read_value(address + 8 * index) == Some(*then))
    }

    /// Whether all of the pages with them are what they were.
    pub fn has_same_code(&self) -> bool {
        guard::hash(self.address()) == self.words[CODE]
    }

    /// Processor time that the recorded thread had used, in microseconds.
    pub fn time(&self) -> u64 {
        self.words[TIME]
    }

    /// A word of the state in `machine` that is different, if one is found quickly. `changed` is code that we have
    /// changed.
    pub fn difference(&self, machine: &MachineContext, changed: Range<u64>) -> Option<Condition> {
        let registers = registers(machine);
        for (index, number) in NUMBERS.iter().enumerate() {
            let (now, then) = (registers[index], self.words[index]);
            if now != then {
                let half = u8::from(now as u32 == then as u32);
                return differs(Source::Register { number: *number, half }, then >> (32 * half));
            }
        }
        for (index, (now, then)) in vectors(machine).iter().zip(&self.words[VECTORS..CODE]).enumerate() {
            if now != then {
                let half = u8::from(*now as u32 == *then as u32);
                let source = Source::Vector { number: (index / 2) as u8, lane: (index % 2 * 2) as u8 + half };
                return differs(source, then >> (32 * half));
            }
        }
        // Words that were seen to change first: a counter tells more moments apart than a variable on the stack.
        self.other_word(&changed, true).or_else(|| self.other_word(&changed, false))
    }

    /// Whether all of the state in `machine` is the same. `hidden` is a mapping of ours; the program's code is as
    /// it was.
    pub fn is_equal(&mut self, machine: &MachineContext, hidden: Range<u64>) -> bool {
        registers(machine)[..] == self.words[..REGISTERS]
            && self.extended.hash(machine) == Some(self.words[EXTENDED])
            && memory::hash(machine.rsp, hidden) == Some(self.words[MEMORY])
    }

    /// A word in a window that is not what it was; among the windows of one word, or among the larger ones.
    fn other_word(&self, changed: &Range<u64>, single: bool) -> Option<Condition> {
        let mut rest = &self.words[WINDOWS..self.length];
        while let [address, length, data @ ..] = rest {
            let (then, behind) = data.split_at_checked((length / 8) as usize)?;
            rest = behind;
            if (then.len() == 1) != single {
                continue;
            }
            for (index, then) in then.iter().enumerate() {
                let address = address + 8 * index as u64;
                let now = log::read_value::<u64>(address)?;
                let ours = address < changed.end && changed.start < address + 8;
                if now != *then && !ours {
                    let half = u64::from(now as u32 == *then as u32);
                    let value = (then >> (32 * half)) as u32;
                    return Some(Condition { source: Source::Memory { address: address + 4 * half }, value });
                }
            }
        }
        None
    }
}

fn differs(source: Source, value: u64) -> Option<Condition> {
    Some(Condition { source, value: value as u32 })
}

/// General registers, rip and flags, less what is not the program's.
pub fn registers(machine: &MachineContext) -> [u64; REGISTERS] {
    // SAFETY: the structure begins with these 18 words.
    let mut registers = unsafe { *(&raw const *machine).cast::<[u64; REGISTERS]>() };
    registers[FLAGS] &= !NOT_THE_PROGRAMS;
    registers
}

impl Extended {
    /// Hash of the canonical form, `None` if the state is larger than any that is known.
    fn hash(&mut self, machine: &MachineContext) -> Option<u64> {
        let area = machine.extended_state as *const u8;
        // SAFETY: the area is the kernel's, in the frame that it built for us.
        let size = unsafe { extended_state::narrowed_size_of_area(area) };
        let copy = self.0.get_mut(..size)?;
        // SAFETY: the copy has `size` bytes, and the copy is a complete area.
        unsafe {
            extended_state::copy(area, copy.as_mut_ptr());
            extended_state::canonicalise(copy.as_mut_ptr());
        }
        Some(xxh3_64(copy))
    }
}

fn vectors(machine: &MachineContext) -> [u64; CODE - VECTORS] {
    // SAFETY: the extended state has at least the 512 bytes in which they are.
    unsafe { *((machine.extended_state + VECTORS_OFFSET) as *const [u64; CODE - VECTORS]) }
}
