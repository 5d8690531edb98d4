//! Calls that sleep while other threads run: what the kernel writes for them goes to our own memory first, and to the
//! program's when the thread has the right to run again.
//!
//! Otherwise the kernel would change the program's memory at a moment that is in nobody's log, in the middle of
//! another thread's tenure: a thread that looks at a buffer while another one reads into it would replay otherwise,
//! and no state of memory could identify a stop ([`crate::stop`]).

use crate::log::{self, ProgramMemory};
use crate::thread::Thread;
use alloc::vec::Vec;
use tracer_core::syscalls::{self, Before, Capacity, Memory, Pointer, Syscall};

/// Bytes that a thread has for this. Calls that may write more get memory of their own for as long as they take.
pub const CAPACITY: usize = 32 << 10;
/// Calls that may write more than this, or to more pieces, write to the program's memory.
const LARGEST: u64 = 64 << 20;
const PIECES: usize = 40;
/// Pieces are aligned for whatever they are.
const ALIGNMENT: u64 = 16;
/// What is read with O_DIRECT is aligned to a device's blocks, and must be (open(2)).
const BLOCK: u64 = 512;
/// The largest blocks.
const PAGE: u64 = 4096;

/// Memory of a thread for what its calls write.
#[repr(C, align(16))]
pub struct Buffer(pub [u8; CAPACITY]);

/// A piece of the program's memory and what stands in for it.
#[derive(Clone, Copy)]
struct Piece {
    program: Capacity,
    ours: u64,
}

/// A call whose pointers lead to our memory.
pub struct Bounced {
    /// The call's arguments.
    pub arguments: [u64; 6],
    pieces: [Piece; PIECES],
    count: usize,
    /// Too large for the thread's own.
    _memory: Vec<u8>,
}

/// Prepares the call; `None` if it writes nothing, or cannot be prepared.
pub fn prepare(
    thread: &mut Thread,
    syscall: &Syscall,
    arguments: &[u64; 6],
    before: &Before,
) -> Option<Bounced> {
    let nothing = Capacity { pointer: Pointer::Argument(0), address: 0, length: 0, keeps: false };
    let mut pieces = [Piece { program: nothing, ours: 0 }; PIECES];
    let own = thread.bounce.0.as_mut_ptr() as u64;
    let (mut count, mut size) = (0, 0u64);
    let complete = syscalls::capacities(syscall, arguments, before, &ProgramMemory, &mut |capacity| {
        let is_in_blocks = capacity.address.is_multiple_of(BLOCK) && capacity.length.is_multiple_of(BLOCK);
        let alignment = if is_in_blocks { PAGE } else { ALIGNMENT };
        let offset = (own + size).next_multiple_of(alignment) - own;
        if let Some(piece) = pieces.get_mut(count) {
            *piece = Piece { program: capacity, ours: offset };
        }
        count += 1;
        size = offset.saturating_add(capacity.length).min(LARGEST + 1);
    });
    if !complete || count == 0 || count > PIECES || size > LARGEST {
        return None;
    }
    let (base, memory) = match size as usize {
        0..=CAPACITY => (own, Vec::new()),
        size => {
            let mut memory: Vec<u8> = Vec::new();
            memory.try_reserve_exact(size + 2 * PAGE as usize).ok()?;
            // Pieces are as well aligned as in the thread's own.
            ((memory.as_ptr() as u64).next_multiple_of(PAGE) + own % PAGE, memory)
        }
    };
    let mut bounced = Bounced { arguments: *arguments, pieces, count, _memory: memory };
    for index in 0..count {
        let piece = &mut bounced.pieces[index];
        piece.ours += base;
        let Piece { program, ours } = *piece;
        if program.keeps && !copy(ours, program.address, program.length) {
            // The kernel would find that out, too.
            return None;
        }
        bounced.point(program.pointer, ours);
    }
    Some(bounced)
}

impl Bounced {
    /// Makes `pointer` lead to `address`.
    fn point(&mut self, pointer: Pointer, address: u64) {
        match pointer {
            Pointer::Argument(index) => self.arguments[index as usize] = address,
            Pointer::Within { visit, offset } => {
                let place = self.pieces[visit as usize].ours + u64::from(offset);
                log::write_program(place, &address.to_le_bytes());
            }
        }
    }

    /// Gives the program what the call, which came back with `result`, has written. False if it does not fit there.
    pub fn deliver(mut self, syscall: &Syscall, before: &Before, result: i64) -> bool {
        let mut fits = true;
        let arguments = self.arguments;
        syscalls::outputs(syscall, &arguments, before, result, &ProgramMemory, &mut |region| {
            let piece = self.pieces[..self.count]
                .iter()
                .find(|piece| (piece.ours..piece.ours + piece.program.length).contains(&region.address));
            // What has pointers of ours in it comes below.
            let Some(piece) = piece.filter(|piece| !self.is_pointed_from(piece.ours)) else { return };
            let offset = region.address - piece.ours;
            let length = region.length.min(piece.program.length - offset);
            fits &= copy(piece.program.address + offset, region.address, length);
        });
        for index in 0..self.count {
            if let Pointer::Within { .. } = self.pieces[index].program.pointer {
                self.point(self.pieces[index].program.pointer, self.pieces[index].program.address);
            }
        }
        for index in 0..self.count {
            let Piece { program, ours } = self.pieces[index];
            if result >= 0 && self.is_pointed_from(ours) {
                fits &= copy(program.address, ours, program.length);
            }
        }
        fits
    }

    /// Whether the piece at `ours` has pointers to others in it.
    fn is_pointed_from(&self, ours: u64) -> bool {
        self.pieces[..self.count].iter().any(|piece| match piece.program.pointer {
            Pointer::Within { visit, .. } => self.pieces[visit as usize].ours == ours,
            Pointer::Argument(_) => false,
        })
    }
}

/// Copies memory of which one side is the program's; false if that cannot be done.
fn copy(to: u64, from: u64, length: u64) -> bool {
    let mut done = 0;
    let mut piece = [0u8; 4096];
    while done < length {
        let bytes = &mut piece[..(length - done).min(4096) as usize];
        if !ProgramMemory.read(from + done, bytes) || !log::write_program(to + done, bytes) {
            return false;
        }
        done += bytes.len() as u64;
    }
    true
}
