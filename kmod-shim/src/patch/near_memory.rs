//! Memory for stubs, within a jump's reach of the objects that jump to them.
//!
//! Replay has to find the same addresses as recording, because a stub's address can be seen (in a signal
//! frame, say). So nothing is left to the kernel's choice: candidates are tried in a fixed order at fixed
//! addresses, and an occupied one is passed over. The same layout then gives the same result.

use core::ops::Range;

pub use super::kernel::Kernel;
use super::refusal::{Refusal, errno};

/// How much is mapped at a time, in bytes: a thousand stubs.
pub const ARENA_LENGTH: u64 = 64 << 10;
/// Each stub begins where instruction fetch does.
const STUB_ALIGNMENT: u64 = 16;
/// Where the search for objects within its reach begins. Without address-space randomisation the kernel
/// places libraries from 0x7ffff7fff000 downwards and the stack below 0x7ffffffff000; the 128 MiB between them
/// are for the stack to grow into, and of those a stack of ordinary size leaves the lower ones alone.
const ABOVE_LIBRARIES: u64 = 0x7fff_f800_0000;
/// How many places are tried there, one arena apart; behind them as many for what lies aside.
const PLACES_ABOVE_LIBRARIES: u64 = 256;
/// How far apart the places below an object are that are tried: heap, vvar and other libraries' mappings are
/// passed in few steps.
const STEP_BELOW: u64 = 16 << 20;
/// How far below a program at a fixed address places aside begin: 32 arenas.
const LOWER: u64 = 2 << 20;
/// The kernel's default for the lowest address that may be mapped (`vm.mmap_min_addr`).
const LOWEST_ADDRESS: u64 = 64 << 10;
/// How far a 32-bit displacement reaches.
const REACH: u64 = i32::MAX as u64;

/// Who has what a stub is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Recording and replay: its address is the same in both.
    Common,
    /// Only one of them: its place is one that [`Region::Common`] never gets, whose addresses then stay the same.
    Aside,
}

/// One mapping, filled from its start.
struct Arena {
    region: Region,
    start: u64,
    used: u64,
}

/// All mappings that hold stubs.
#[derive(Default)]
pub struct NearMemory {
    arenas: Vec<Arena>,
}

/// Whether every byte of the arena at `arena` is within a jump's reach of every byte of `mapped`.
fn reaches(arena: u64, mapped: &Range<u64>) -> bool {
    let lowest = arena.min(mapped.start);
    let highest = arena.saturating_add(ARENA_LENGTH).max(mapped.end);
    highest - lowest <= REACH
}

/// Where an arena for the object at `mapped` may go, in order.
fn candidates(mapped: Range<u64>, region: Region) -> impl Iterator<Item = u64> {
    let first = if region == Region::Aside { PLACES_ABOVE_LIBRARIES } else { 0 };
    let above = (first..first + PLACES_ABOVE_LIBRARIES).map(|index| ABOVE_LIBRARIES + index * ARENA_LENGTH);
    // A program linked at a fixed address (0x400000) has less than a large step below it.
    let step = if mapped.start > 2 * STEP_BELOW { STEP_BELOW } else { ARENA_LENGTH };
    let top = mapped.start - mapped.start % step;
    let between = match region {
        Region::Common => 0,
        Region::Aside if step == STEP_BELOW => STEP_BELOW / 2,
        Region::Aside => LOWER,
    };
    let below = (1..).map_while(move |count: u64| top.checked_sub(count.checked_mul(step)? + between));
    let below = below.take_while(|&address| address >= LOWEST_ADDRESS);
    let near = mapped.clone();
    above
        .filter(move |&address| reaches(address, &mapped))
        .chain(below.take_while(move |&address| reaches(address, &near)))
}

impl NearMemory {
    /// Nothing mapped yet.
    pub const fn new() -> NearMemory {
        NearMemory { arenas: Vec::new() }
    }

    /// The address that `length` bytes would get in a region, near the object at `mapped`. They are the caller's after
    /// [`NearMemory::take`].
    ///
    /// # Errors
    /// No memory can be mapped within reach.
    pub fn offer(
        &mut self,
        kernel: &impl Kernel,
        region: Region,
        mapped: &Range<u64>,
        length: u64,
    ) -> Result<u64, Refusal> {
        let suits = |arena: &&Arena| {
            arena.region == region && arena.used + length <= ARENA_LENGTH && reaches(arena.start, mapped)
        };
        if let Some(arena) = self.arenas.iter().find(suits) {
            return Ok(arena.start + arena.used);
        }
        self.arenas.try_reserve(1).map_err(|_| Refusal::NoMemory)?;
        let start = map(kernel, region, mapped)?;
        self.arenas.push(Arena { region, start, used: 0 });
        Ok(start)
    }

    /// Makes the `length` bytes at `address`, which was offered last, the caller's.
    pub fn take(&mut self, address: u64, length: u64) {
        if let Some(arena) = self.arenas.iter_mut().find(|arena| arena.start + arena.used == address) {
            arena.used = (arena.used + length).next_multiple_of(STUB_ALIGNMENT);
        }
    }

    /// The mapping that contains `address`.
    pub fn mapping_of(&self, address: u64) -> Option<Range<u64>> {
        self.mappings().find(|mapping| mapping.contains(&address))
    }

    /// The mappings, for whoever hides ours from the program.
    pub fn mappings(&self) -> impl Iterator<Item = Range<u64>> {
        self.arenas.iter().map(|arena| arena.start..arena.start + ARENA_LENGTH)
    }
}

fn map(kernel: &impl Kernel, region: Region, mapped: &Range<u64>) -> Result<u64, Refusal> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let mut last_error = libc::ENOMEM;
    for address in candidates(mapped.clone(), region) {
        let result = kernel.map(address, ARENA_LENGTH, libc::PROT_READ | libc::PROT_EXEC, flags);
        if result as u64 == address {
            return Ok(address);
        }
        last_error = errno(result);
        // Occupied, or below what this system lets be mapped: the next may be better. Anything else is final.
        if !matches!(last_error, libc::EEXIST | libc::EPERM) {
            break;
        }
    }
    Err(Refusal::NoMemoryNear(last_error))
}
