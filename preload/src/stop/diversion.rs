//! What takes the place of an instruction whose passages are watched: first an instruction that traps, then, where there is
//! room, a jump to a trampoline that compares.

use super::code;
use crate::{debugger, kernel};
use core::ops::Range;
use kmod_shim::arch::native::raw;
use kmod_shim::patch::Refusal;
use kmod_shim::stop::place::{JUMP_LENGTH, Room};
use kmod_shim::stop::trampoline::{self, Condition, MAPPING_LENGTH, Trampoline, UNDEFINED, mapping_start};

/// See the module.
pub struct Diversion {
    /// The instructions.
    pub room: Room,
    trampoline: Trampoline,
    /// The trampoline counts its passages.
    counts: bool,
    /// The change is a jump, not a trap.
    pub jumps: bool,
    /// The change is in the code.
    pub in_place: bool,
}

/// What an instruction that trapped is.
pub enum Met {
    /// The thread is at the place, and all that is compared is equal.
    Place,
    /// Another instruction that the jump has taken the place of; it is executed there.
    Inner(u64),
    /// None of ours.
    Nothing,
}

impl Diversion {
    /// Of the instruction at `address`; `None` if it cannot be watched. Nothing is in its place yet.
    pub fn at(address: u64, counts: bool) -> Option<Diversion> {
        let room = Room::at(&code::read, address)?;
        let trampoline = map(&room, counts)?;
        Some(Diversion { room, trampoline, counts, jumps: false, in_place: false })
    }

    /// Memory that is not the program's.
    pub fn mapping(&self) -> Range<u64> {
        let start = mapping_start(self.trampoline.code.address());
        start..start + MAPPING_LENGTH
    }

    /// Gives it back. The code is as it was.
    pub fn unmap(self) {
        unmap(&self.trampoline);
    }

    /// The code that is changed.
    pub fn changed(&self) -> Range<u64> {
        self.room.address..self.room.address + self.length() as u64
    }

    fn length(&self) -> usize {
        if self.jumps { JUMP_LENGTH } else { 1 }
    }

    /// The trap, in the first byte, or the jump.
    fn bytes(&self) -> Option<[u8; JUMP_LENGTH]> {
        if self.jumps {
            trampoline::entry(&self.room, self.trampoline.code.address()).ok()
        } else {
            Some([UNDEFINED; JUMP_LENGTH])
        }
    }

    /// Where the instruction at `address` is executed if not there. The first one is met there in any case.
    fn copy(&self, address: u64) -> Option<u64> {
        self.trampoline.moved(address).filter(|_| address != self.room.address)
    }

    /// Where a thread at the place goes on without meeting it again.
    pub fn behind(&self) -> u64 {
        self.trampoline.moved(self.room.address).unwrap_or(self.room.address)
    }

    /// Where in the program's code `address` is, if it is in what has taken its place.
    pub fn original(&self, address: u64) -> u64 {
        self.trampoline.original(address).unwrap_or(address)
    }

    /// What the instruction at `at` is, which has raised SIGILL.
    pub fn met(&self, at: u64) -> Met {
        let watched = if self.jumps { self.trampoline.equal } else { self.room.address };
        if !self.in_place {
            return Met::Nothing;
        }
        if at == watched {
            return Met::Place;
        }
        let inner = self.jumps && self.room.inner().any(|inner| inner == at);
        match self.trampoline.moved(at).filter(|_| inner) {
            Some(copy) => Met::Inner(copy),
            None => Met::Nothing,
        }
    }

    /// Puts the trap or the jump into the code.
    pub fn change(&mut self) -> bool {
        let length = self.length();
        let Some(bytes) = self.bytes() else { return false };
        self.in_place = true;
        debugger::code_changed(self.room.address, &self.room.bytes[..length], &bytes[..length]);
        debugger::code_moved(&|address| self.copy(address));
        // SAFETY: the program is stopped, and a trap changes one instruction. Where it is a jump: the thread is at
        // the first of the instructions that are changed, and goes on in the trampoline, or is nowhere near them; branches
        // to the others meet bytes that trap, or are what they were.
        unsafe { code::write(self.room.address, &bytes[..length]) }
    }

    /// Gives the code its own bytes back. False if it has been written meanwhile.
    pub fn restore(&mut self) -> bool {
        if !core::mem::take(&mut self.in_place) {
            return true;
        }
        let length = self.length();
        debugger::code_changed(self.room.address, &[], &[]);
        debugger::code_moved(&|_| None);
        let Some(ours) = self.bytes() else { return false };
        let mut present = [0; JUMP_LENGTH];
        let known = code::read(self.room.address, &mut present[..length]) == length;
        if known && present[..length] == self.room.bytes[..length] {
            // A debugger has taken the change out.
            return true;
        }
        if !known || present[..length] != ours[..length] {
            // Nobody guards it any more, but the program does write code there.
            return false;
        }
        // SAFETY: the thread is at the first of the instructions, or not near them.
        unsafe { code::write(self.room.address, &self.room.bytes[..length]) }
    }

    /// Writes the code's own bytes to it, for a debugger that steps through it; the change still counts as made. False if it cannot
    /// be written.
    pub fn put_back(&self) -> bool {
        // SAFETY: the thread is at the first of the instructions, which get the bytes that they had.
        unsafe { code::write(self.room.address, &self.room.bytes[..self.length()]) }
    }

    /// Makes passages compare the conditions themselves, by a jump. False if the code cannot be written.
    ///
    /// Errors: they are too many for the room there is.
    pub fn compare(&mut self, conditions: &[Condition]) -> Result<bool, Refusal> {
        let address = self.trampoline.code.address();
        self.trampoline = trampoline::compose(&self.room, address, conditions, self.counts)?;
        // SAFETY: no thread is in the trampoline: the one that runs is at the first of the instructions that are changed,
        // or not near them.
        let written = unsafe { code::write(address, self.trampoline.code.bytes()) };
        if !written || self.jumps {
            debugger::code_moved(&|address| self.copy(address));
            return Ok(written);
        }
        self.jumps = true;
        Ok(self.change())
    }

    /// Where passages of the trampoline are counted.
    pub fn counter(&self) -> u64 {
        trampoline::counter(self.trampoline.code.address())
    }

    /// Passages that the trampoline has counted.
    pub fn count(&self) -> u64 {
        // SAFETY: the counter is in the mapping, aligned, and nobody else runs.
        unsafe { *(self.counter() as *const u64) }
    }

    /// Makes it count from 0 on.
    pub fn reset_count(&mut self) {
        // SAFETY: as above; the page is writable.
        unsafe { *(self.counter() as *mut u64) = 0 };
    }
}

/// Maps a trampoline for `room`, without conditions, at the first place where one can be.
fn map(room: &Room, counts: bool) -> Option<Trampoline> {
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    for address in trampoline::candidates(room) {
        let Ok(trampoline) = trampoline::compose(room, address, &[], counts) else { continue };
        let start = mapping_start(address) as usize;
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        if kernel::map(start, MAPPING_LENGTH as usize, writable, anonymous, -1, 0).is_err() {
            continue;
        }
        let executable = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        let code_length = MAPPING_LENGTH - 4096;
        // SAFETY: the mapping was just made, by us and for this.
        let written = unsafe {
            let protected = raw::call(libc::SYS_mprotect, [start as u64, code_length, executable, 0, 0, 0]);
            protected == 0 && code::write(address, trampoline.code.bytes())
        };
        return written.then_some(trampoline);
    }
    None
}

fn unmap(trampoline: &Trampoline) {
    let start = mapping_start(trampoline.code.address());
    // SAFETY: the mapping is ours, and nothing leads to it.
    unsafe { raw::call(libc::SYS_munmap, [start, MAPPING_LENGTH, 0, 0, 0, 0]) };
}

/// Whether replay, which has the same address space, will be able to watch the instruction at `address`.
pub fn can_be_watched(address: u64) -> bool {
    let trampoline = Room::at(&code::read, address).and_then(|room| map(&room, false));
    trampoline.as_ref().map(unmap).is_some()
}
