//! Whether a thread that was interrupted has made the access that it was allowed.
//!
//! The compiler puts the call and the access in one piece of straight code. So once the thread is out of what follows the
//! call up to the first branch, it has made it. Unconditional jumps are followed: compilers merge the ends of
//! blocks. If it is in there, it may have come back in a loop: that is so if it was further before, or if it has computed
//! for much longer than straight code takes. What is accessed by a call of a function cannot be told so, and is not asked for.

use crate::kernel;
use crate::start::is_our_code;
use crate::stop::read_code;
use crate::thread::Thread;
use kmod_shim::patch::decode::{Flow, LONGEST_INSTRUCTION, decode};

/// Instructions that are looked at.
const LONGEST_BLOCK: usize = 200;
/// Microseconds of processor time in which a thread has left any of them, even if the access takes a page from the kernel.
const LONGEST_STAY: u64 = 10_000;

/// Where a thread was in the straight code behind an access.
#[derive(Clone, Copy)]
pub struct Look {
    /// The access, by how many operations the thread had made.
    passes: u64,
    /// Instructions before it.
    instruction: usize,
    /// The thread's processor time when it was seen there first, in microseconds.
    since: u64,
}

impl Look {
    /// None was taken.
    pub const NONE: Look = Look { passes: 0, instruction: 0, since: 0 };
}

/// The thread was interrupted at `rip`, since another one waits for what it holds.
pub fn nudged(thread: &mut Thread, rip: u64) {
    if thread.accesses.can_be_placed() && !is_our_code(rip) && has_left(thread, rip) {
        thread.accesses.give_up();
    }
}

fn has_left(thread: &mut Thread, rip: u64) -> bool {
    let instruction = match position(thread.accesses.behind, rip) {
        Position::Within(instruction) => instruction,
        Position::Outside => return true,
        Position::Unknown => return false,
    };
    let before = thread.accesses.look;
    if before.passes == thread.passes {
        let stayed = kernel::thread_time().saturating_sub(before.since);
        return instruction < before.instruction || stayed > LONGEST_STAY;
    }
    thread.accesses.look = Look { passes: thread.passes, instruction, since: kernel::thread_time() };
    false
}

/// Where an address is, seen from the straight code behind an access.
enum Position {
    /// So many instructions are before it.
    Within(usize),
    Outside,
    /// The code cannot be read.
    Unknown,
}

fn position(mut address: u64, rip: u64) -> Position {
    for instruction in 0..LONGEST_BLOCK {
        if address == rip {
            return Position::Within(instruction);
        }
        let mut bytes = [0; LONGEST_INSTRUCTION];
        let length = read_code(address, &mut bytes);
        let Some(decoded) = decode(&bytes[..length]) else { return Position::Unknown };
        address += decoded.length as u64;
        match decoded.flow {
            Flow::Next => {}
            Flow::Jump { displacement } => address = address.wrapping_add_signed(i64::from(displacement)),
            _ => return Position::Outside,
        }
    }
    Position::Unknown
}
