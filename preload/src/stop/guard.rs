//! Code that the program can write, while there is a change of ours in it.
//!
//! Compilers write code and execute it without a system call in between. They would write over our breakpoint or jump,
//! or we would write bytes back that are not those of the code that is there by then. So while there is a change, a page that is both
//! writable and executable is *either*: the program's write faults, and the change is taken out before. The program
//! sees neither the fault nor the missing right. Pages that [`crate::sites`] keeps so anyway are left to it.

use crate::kernel;
use crate::sites;
use crate::start::maps;
use core::ops::Range;
use kmod_shim::arch::native::{
    raw,
    signal_frame::{Access, MachineContext},
};

const PAGE: u64 = super::memory::PAGE as u64;
/// Bytes from the place of a stop on that a jump or a copy of instructions can depend on.
const REACH: u64 = 32;
/// Pages in which so many bytes can be.
const PAGES: usize = 2;
/// Bytes that an instruction can have.
const LONGEST_INSTRUCTION: u64 = 15;

/// What the program may do with the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// What it asked for.
    All,
    /// To write, but not to execute.
    Writing,
    /// To execute, but not to write.
    Execution,
}

/// The pages with the code at a place, of which those that the program can write lack a right.
pub struct Guard {
    first: u64,
    /// What the program asked for; 0 for a page that it cannot write.
    protections: [i32; PAGES],
    allowed: Allowed,
    /// The program can write one of the pages, now or after a fault.
    pub may_change: bool,
}

/// What can be done about the code at a place.
pub enum Found {
    /// It may be changed, under this guard.
    Code(Guard),
    /// It is not executable now, and will not be without a fault.
    NotExecutable,
    /// It must not be changed, for others may be writing it.
    Shared,
}

impl Guard {
    /// Of no code.
    pub const NONE: Guard =
        Guard { first: 0, protections: [0; PAGES], allowed: Allowed::All, may_change: false };

    /// Looks at who can write the code at `place`.
    pub fn over(place: u64) -> Found {
        let mut guard = Guard { first: place & !(PAGE - 1), ..Guard::NONE };
        let Ok(text) = kernel::read_file(c"/proc/thread-self/maps") else { return Found::Shared };
        let last = (place + REACH - 1) & !(PAGE - 1);
        for mapping in maps::parse(&text) {
            for page in [guard.first, last] {
                if !(mapping.begin..mapping.end).contains(&page) {
                    continue;
                }
                if sites::exclusively(|sites| sites.generated.protection(page)).is_some() {
                    if !mapping.executable {
                        return Found::NotExecutable;
                    }
                    guard.may_change = true;
                } else if mapping.writable && mapping.executable {
                    if mapping.shared {
                        return Found::Shared;
                    }
                    guard.may_change = true;
                    let readable = if mapping.readable { libc::PROT_READ } else { 0 };
                    guard.protections[usize::from(page != guard.first)] =
                        readable | libc::PROT_WRITE | libc::PROT_EXEC;
                }
            }
        }
        Found::Code(guard)
    }

    /// Lets the program do this with the pages; false if the kernel does not let us.
    pub fn allow(&mut self, allowed: Allowed) -> bool {
        if core::mem::replace(&mut self.allowed, allowed) == allowed {
            return true;
        }
        let missing = match allowed {
            Allowed::All => 0,
            Allowed::Writing => libc::PROT_EXEC,
            Allowed::Execution => libc::PROT_WRITE,
        };
        self.pages().all(|(page, protection)| {
            let arguments = [page, PAGE, (protection & !missing) as u64, 0, 0, 0];
            // SAFETY: the program's memory, with rights that it asked for, less one whose want it does not see.
            unsafe { raw::call(libc::SYS_mprotect, arguments) == 0 }
        })
    }

    /// What the program wanted to do with the pages and could not, if that is what the fault was.
    pub fn refused(&self, machine: &MachineContext) -> Option<Access> {
        let access = machine.access();
        let is_ours = match self.allowed {
            Allowed::All => false,
            Allowed::Writing => access == Access::Execute,
            Allowed::Execution => access == Access::Write,
        };
        (is_ours && self.overlaps(machine.cr2..machine.cr2 + 1)).then_some(access)
    }

    /// Whether the instruction at `place` may be in the pages.
    pub fn has_code(&self, place: u64) -> bool {
        self.overlaps(place..place.saturating_add(LONGEST_INSTRUCTION))
    }

    fn overlaps(&self, range: Range<u64>) -> bool {
        self.pages().any(|(page, _)| page < range.end && range.start < page + PAGE)
    }

    fn pages(&self) -> impl Iterator<Item = (u64, i32)> {
        let pages = [self.first, self.first + PAGE].into_iter().zip(self.protections);
        pages.filter(|(_, protection)| *protection != 0)
    }
}

/// Hash of the pages with the code at `place`.
pub fn hash(place: u64) -> u64 {
    let first = place & !(PAGE - 1);
    let last = (place + REACH - 1) & !(PAGE - 1);
    let second = if last == first { 0 } else { super::memory::hash_page(last, last).rotate_left(1) };
    super::memory::hash_page(first, first) ^ second
}
