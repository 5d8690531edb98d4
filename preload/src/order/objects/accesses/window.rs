//! Whether a thread that was interrupted has made the access that it was allowed.
//!
//! The compiler puts the call and the access in one piece of straight code. So once the thread is out of what follows the
//! call up to the first branch, it has made it. Unconditional jumps are followed: compilers merge the ends of
//! blocks. What is accessed by a call of a function cannot be told so, and is not asked for.

use super::finish_held;
use crate::start::is_our_code;
use crate::stop::read_code;
use crate::thread::Thread;
use kmod_shim::patch::decode::{Flow, LONGEST_INSTRUCTION, decode};

/// Instructions that are looked at.
const LONGEST_BLOCK: usize = 200;

/// The thread was interrupted at `rip`, since another one waits for what it holds.
pub fn nudged(thread: &mut Thread, rip: u64) {
    if thread.accesses.can_be_placed() && !is_our_code(rip) && has_left(thread.accesses.behind, rip) {
        finish_held(thread);
    }
}

/// Whether `rip` is not in the straight code that begins at `address`.
fn has_left(mut address: u64, rip: u64) -> bool {
    for _ in 0..LONGEST_BLOCK {
        if address == rip {
            return false;
        }
        let mut bytes = [0; LONGEST_INSTRUCTION];
        let length = read_code(address, &mut bytes);
        let Some(instruction) = decode(&bytes[..length]) else { return false };
        address += instruction.length as u64;
        match instruction.flow {
            Flow::Next => {}
            Flow::Jump { displacement } => address = address.wrapping_add_signed(i64::from(displacement)),
            _ => return true,
        }
    }
    false
}
