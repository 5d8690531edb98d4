//! Code that the program makes while it runs, on machines where `cpuid` does not trap.
//!
//! What is in such code is known only when it is executed, and (HotSpot's first stubs do it) memory may be written and
//! executed in turns without a system call in between. So memory that the program makes executable and that is no
//! file's is, for a while, either writable or executable, page by page: the fault at an execution looks through the page
//! from there ([`Reached`]), the fault at the next write makes it writable again. Where bytes in the page may be another
//! `cpuid`, to which execution would come from elsewhere, it is a *visit* only: where that returns, the page is not
//! executable any more.
//!
//! Compilers ask the processor what it can do before they compile anything: after [`MOST_FAULTS`] memory is given the
//! rights that the program asked for, and runs at its own speed. The faults are at the same instructions in replay, and
//! the program sees none of them. The kernel must not meet the missing right to write when it writes what a call gives:
//! memory that a call names is given back before ([`Generated::give_back_named`]).

use super::caught::Caught;
use super::{Calls, Sites};
use crate::log;
use crate::start::maps::Mapping;
use crate::stop::read_code;
use alloc::vec::Vec;
use core::ops::Range;
use kmod_shim::arch::native::{
    signal_frame::{Access, MachineContext},
    trap::Trapped,
};
use kmod_shim::patch::{
    decode::{LONGEST_INSTRUCTION, decode},
    eh_frame::Segment,
    kernel::{Kernel, Piece},
    reached::{PIECE, READ, Reached},
};
use kmod_shim::stop::trampoline::BREAKPOINT;

/// A fault takes some microseconds. HotSpot has asked the processor after ten.
const MOST_FAULTS: u32 = 256;

/// The instruction that a visit ends with.
const RETURN: u8 = 0xc3;

/// Memory whose pages lack a right that the program has.
struct Area {
    range: Range<u64>,
    /// What the program asked for.
    protection: i32,
}

/// All such memory.
pub struct Generated {
    areas: Vec<Area>,
    /// Instructions that return from a visit, with a breakpoint in their place.
    returns: Vec<u64>,
    faults: u32,
}

impl Generated {
    /// None.
    pub const NONE: Generated = Generated { areas: Vec::new(), returns: Vec::new(), faults: 0 };

    /// Whether there is any.
    pub fn any(&self) -> bool {
        !self.areas.is_empty()
    }

    /// The program has made `range` executable; these are its mappings.
    pub fn add(&mut self, mappings: &[Mapping], range: &Range<u64>) {
        for mapping in mappings {
            let (begin, end) = (mapping.begin.max(range.start), mapping.end.min(range.end));
            let anonymous = mapping.name.is_empty() || mapping.name.starts_with(b"[anon:");
            if begin >= end || !mapping.executable || mapping.shared || !anonymous {
                continue;
            }
            if self.faults >= MOST_FAULTS {
                return;
            }
            let right = |has: bool, bit: i32| if has { bit } else { 0 };
            let protection = right(mapping.readable, libc::PROT_READ)
                | right(mapping.writable, libc::PROT_WRITE)
                | libc::PROT_EXEC;
            if protect(&(begin..end), protection & !libc::PROT_EXEC) {
                self.areas.push(Area { range: begin..end, protection });
            }
        }
    }

    /// Gives `range` the rights that the program asked for: it is about to change them, or the mapping.
    pub fn give_back(&mut self, range: &Range<u64>) {
        let concerned = |area: &Area| area.range.start < range.end && range.start < area.range.end;
        while let Some(index) = self.areas.iter().position(concerned) {
            let Area { range: whole, protection } = self.areas.swap_remove(index);
            let (begin, end) = (whole.start.max(range.start), whole.end.min(range.end));
            self.end_visits(&(begin..end));
            protect(&(begin..end), protection);
            for rest in [whole.start..begin, end..whole.end] {
                if !rest.is_empty() {
                    self.areas.push(Area { range: rest, protection });
                }
            }
        }
    }

    /// The same for all memory that is named by one of a call's `arguments`.
    #[inline]
    pub fn give_back_named(&mut self, arguments: &[u64]) {
        if self.any() {
            self.search_arguments(arguments);
        }
    }

    #[cold]
    fn search_arguments(&mut self, arguments: &[u64]) {
        for address in arguments {
            let named = self.areas.iter().find(|area| area.range.contains(address));
            if let Some(range) = named.map(|area| area.range.clone()) {
                self.give_back(&range);
            }
        }
    }

    /// What the program asked for at `address`, if a right may be missing there.
    pub fn protection(&self, address: u64) -> Option<i32> {
        self.areas.iter().find(|area| area.range.contains(&address)).map(|area| area.protection)
    }

    /// A fault was met. It is counted.
    fn count(&mut self) {
        self.faults += 1;
        if self.faults >= MOST_FAULTS {
            self.give_back(&(0..u64::MAX));
        }
    }

    /// Whether the breakpoint that was met is where a visit returns.
    pub fn ends_visit(&self, machine: &MachineContext) -> bool {
        self.returns.contains(&(machine.rip - 1))
    }

    /// Takes out the breakpoints in `range`.
    fn end_visits(&mut self, range: &Range<u64>) {
        self.returns.retain(|address| {
            let ends = range.contains(address);
            if ends {
                write(*address, &[RETURN]);
            }
            !ends
        });
    }

    /// Execution comes into the page at `start`. `reached` is what it comes to there.
    fn begin_visit(&mut self, reached: &Reached) {
        if reached.goes_elsewhere() || !reached.leaves_doubts() {
            return;
        }
        for address in reached.returns() {
            if write(address, &[BREAKPOINT]) {
                self.returns.push(address);
            }
        }
    }
}

impl Sites {
    /// Whether a fault happened for want of a right that the program has; the instruction can be executed again then,
    /// and each `cpuid` that it leads to has been replaced.
    pub fn permit(&mut self, machine: &MachineContext) -> bool {
        let Some(protection) = self.generated.protection(machine.cr2) else { return false };
        let right = match machine.access() {
            Access::Write => libc::PROT_WRITE,
            Access::Execute => libc::PROT_EXEC,
            Access::Read => return false,
        };
        if protection & right == 0 {
            return false;
        }
        let page = page_of(machine.cr2);
        self.generated.end_visits(&page);
        let other = libc::PROT_WRITE ^ libc::PROT_EXEC ^ right;
        let permitted = protect(&page, protection & !other);
        if permitted && right == libc::PROT_EXEC {
            self.look_through(page.start, machine.rip);
        }
        self.generated.count();
        permitted
    }

    /// Looks through the page at `start`, which is executed at `place`, or behind the instruction there.
    fn look_through(&mut self, start: u64, place: u64) {
        let mut bytes = [0; READ];
        let length = read_code(start, &mut bytes);
        let entry = if place < start {
            let mut first = [0; LONGEST_INSTRUCTION];
            let length = read_code(place, &mut first);
            let Some(instruction) = decode(&first[..length]) else { return };
            place + instruction.length as u64
        } else {
            place
        };
        let code = Segment { address: start, bytes: &bytes[..length] };
        let reached = Reached::from(&code, entry);
        for address in reached.cpuids() {
            self.caught.catch(address, Caught::Instruction(Trapped::Cpuid));
        }
        self.generated.begin_visit(&reached);
    }

    /// A breakpoint was met where a visit returns ([`Generated::ends_visit`]): that is done. False if it cannot be.
    pub fn return_from_visit(&mut self, machine: &mut MachineContext) -> bool {
        let place = machine.rip - 1;
        let Some(caller) = log::read_value(machine.rsp) else { return false };
        let page = page_of(place);
        self.generated.end_visits(&page);
        if let Some(protection) = self.generated.protection(place) {
            protect(&page, protection & !libc::PROT_EXEC);
        }
        machine.rip = caller;
        machine.rsp += 8;
        self.generated.count();
        true
    }
}

fn page_of(address: u64) -> Range<u64> {
    let start = address & !(PIECE as u64 - 1);
    start..start + PIECE as u64
}

fn protect(range: &Range<u64>, protection: i32) -> bool {
    // SAFETY: the program's memory, with rights that it asked for, less one whose want it does not see.
    unsafe { Calls.protect(range.start, range.end - range.start, protection) == 0 }
}

fn write(address: u64, bytes: &[u8]) -> bool {
    // SAFETY: the first byte of an instruction; the program is stopped here.
    unsafe { Calls.write(&[Piece { address, bytes }]) == 0 }
}
