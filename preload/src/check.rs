//! State hashes: what makes a replay proven and not merely quiet.
//!
//! Every call folds the registers that it does not pass (those it passes are compared one by one) into a
//! running hash. Every [`INTERVAL`] calls and at the end the hash goes into the stream, with one over the top
//! of the stack, or with `--check full` over all of the program's writable memory. Where threads run in parallel, memory is
//! left out.

use crate::thread::Thread;
use crate::{divergence, log, order, playback, process, watch};
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::event::Kind;
use tracer_core::session::{Mode, check_level};

/// Calls between checks.
const INTERVAL: u64 = 256;
const PAGE: u64 = 4096;
/// Bytes of the stack that a cheap check covers.
const STACK_TOP: u64 = 256;
/// Odd constants that spread bits (of the golden ratio and of pi).
const SPREAD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0x2438_6a3f_6a88_85a3 | 1];

/// Folds in the registers, and checks when it is time.
#[inline]
pub fn before_call(thread: &mut Thread, frame: &Frame) {
    // In a function that a hook of ours has called, they are what the hook had in them, which does other things in replay.
    if !thread.is_in_operation(frame.rsp) {
        thread.registers_hash = folded(thread.registers_hash, frame);
    }
    if thread.calls.is_multiple_of(INTERVAL) {
        check(thread, frame);
    }
}

#[inline]
fn folded(hash: u64, frame: &Frame) -> u64 {
    let first = frame.rbx ^ frame.rbp.rotate_left(11) ^ frame.r12.rotate_left(23);
    let second = frame.r13 ^ frame.r14.rotate_left(31) ^ frame.r15.rotate_left(47) ^ frame.rsp;
    let hash = (hash ^ first).wrapping_mul(SPREAD[0]);
    (hash.rotate_left(32) ^ second).wrapping_mul(SPREAD[1])
}

/// Logs or verifies the state now.
#[cold]
pub fn check(thread: &mut Thread, frame: &Frame) {
    let registers = thread.registers_hash;
    // In a function that a hook of ours has called, it is our stack.
    let called = thread.is_in_operation(frame.rsp);
    let rsp = if called { thread.register.program_stack } else { frame.rsp };
    match process::get().mode {
        Mode::Record => {
            let level = process::control().check.load(Ordering::Relaxed);
            let body = [registers, memory(level, rsp), thread.calls];
            log::words(thread, Kind::Check, 0, level as u16, &body);
        }
        Mode::Replay => {
            let level = playback::plain_any(thread, Kind::Check, b"a state check").number;
            let memory = memory(level as u32, rsp);
            let logged: [u64; 3] = playback::value(thread);
            if logged[0] != registers {
                divergence::other_state(thread, "registers", logged[0], registers);
            }
            if logged[1] != memory && !watch::alone::leaves_traces() {
                divergence::other_state(thread, "memory", logged[1], memory);
            }
        }
    }
}

fn memory(level: u32, rsp: u64) -> u64 {
    if order::is_parallel() {
        // Other threads run, and change it; and functions of libc that waited in one of the modes, but not in the other,
        // may have left other bytes where frames of the program are now that do not set all of theirs.
        return 0;
    }
    if level == check_level::FULL { whole_memory(rsp) } else { stack_top(rsp) }
}

fn stack_top(rsp: u64) -> u64 {
    let mut length = STACK_TOP;
    while length > 0 {
        if let Some(hash) = log::hash_program(rsp, length) {
            return hash;
        }
        length /= 2;
    }
    0
}

/// Hash over all writable private memory of the program, what lies below its stack pointer excepted.
fn whole_memory(rsp: u64) -> u64 {
    let Ok(maps) = crate::kernel::read_file(c"/proc/thread-self/maps") else { return 0 };
    let mut hash = 0u64;
    for mapping in crate::start::maps::parse(&maps) {
        let range = crate::start::of_program(&mapping);
        if !mapping.writable || !mapping.readable || mapping.shared {
            continue;
        }
        let mut at = if range.contains(&rsp) { rsp - 128 } else { range.start };
        // By pages, and added up: where one mapping ends and the next begins differs between a file's mapping
        // and what stands in for it in replay.
        while at < range.end {
            let next = ((at & !(PAGE - 1)) + PAGE).min(range.end);
            let piece = log::hash_program(at, next - at).unwrap_or(0);
            hash = hash.wrapping_add((piece ^ at).wrapping_mul(SPREAD[0]).rotate_left(29));
            at = next;
        }
    }
    hash
}
