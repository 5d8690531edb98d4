//! What the program writes to the recording's stdout and stderr, which replay writes again.
//!
//! Which descriptors these are is followed from the start through dup, close, fork and exec; [`identity`] finds
//! those that the program gets by name or in a message. In the log, each such output has a ticket: its place among
//! all outputs of all processes.

mod identity;

use crate::log;
use crate::{kernel, process};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use tracer_core::event::flags;

/// Descriptors below this one have a bit of their own, and are followed through exec.
const LOW: usize = 64;

/// Which descriptors are outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// Bit n: descriptor n is the recording's stdout (first set) or stderr (second).
    pub sets: [u64; 2],
    /// Higher descriptors that are outputs, with their event flags.
    high: Vec<(i32, u8)>,
}

impl Outputs {
    /// The low descriptors in `sets`.
    pub const fn from_sets(sets: [u64; 2]) -> Outputs {
        Outputs { sets, high: Vec::new() }
    }

    /// As a first process has them.
    pub const INITIAL: Outputs = Outputs::from_sets([1 << 1, 1 << 2]);

    /// The event flag for output to `descriptor`, 0 if it is none.
    #[inline]
    pub fn flag(&self, descriptor: i32) -> u8 {
        if descriptor as usize >= LOW {
            return self.high.iter().find(|(high, _)| *high == descriptor).map_or(0, |(_, flag)| *flag);
        }
        let bit = 1u64 << descriptor;
        match (self.sets[0] & bit != 0, self.sets[1] & bit != 0) {
            (true, _) => flags::STDOUT,
            (_, true) => flags::STDERR,
            _ => 0,
        }
    }

    /// `descriptor` was closed.
    #[inline]
    pub fn close(&mut self, descriptor: i32) {
        if (descriptor as usize) < LOW {
            for set in &mut self.sets {
                *set &= !(1 << descriptor);
            }
        } else if !self.high.is_empty() {
            self.high.retain(|(high, _)| *high != descriptor);
        }
    }

    /// `copy` now is what `original` is.
    pub fn duplicate(&mut self, original: i32, copy: i32) {
        if original == copy {
            return;
        }
        self.close(copy);
        let flag = self.flag(original);
        if flag != 0 {
            self.add(copy, which(flag));
        }
    }

    /// The first process of a recording has its descriptors from outside. A terminal is commonly open for reading
    /// and writing as all three, and programs do write to their standard input then.
    pub fn begin(&mut self) {
        identity::note();
        self.met(0);
    }

    /// `descriptor` is new: it may be one of the outputs all the same.
    pub fn met(&mut self, descriptor: i32) {
        if let Some(which) = identity::recognise(descriptor) {
            self.add(descriptor, which);
        }
    }

    fn add(&mut self, descriptor: i32, which: usize) {
        if (descriptor as usize) < LOW {
            self.sets[which] |= 1 << descriptor;
        } else {
            self.high.push((descriptor, [flags::STDOUT, flags::STDERR][which]));
        }
    }

    /// Descriptors `first` to `last` were closed.
    pub fn close_range(&mut self, first: usize, last: usize) {
        for descriptor in first..last.saturating_add(1).min(LOW) {
            self.close(descriptor as i32);
        }
        self.high.retain(|(high, _)| !(first..=last).contains(&(*high as usize)));
    }

    /// The low sets after an exec: descriptors marked close-on-exec are gone.
    pub fn after_exec(&self) -> [u64; 2] {
        let mut kept = self.clone();
        for descriptor in (0..LOW as i32).filter(|descriptor| self.flag(*descriptor) != 0) {
            // SAFETY: F_GETFD touches no memory.
            let flags = unsafe {
                kernel::call(libc::SYS_fcntl, [descriptor as u64, libc::F_GETFD as u64, 0, 0, 0, 0])
            };
            if flags.is_ok_and(|flags| flags as i32 & libc::FD_CLOEXEC != 0) {
                kept.close(descriptor);
            }
        }
        kept.sets
    }
}

/// Which of the two an event flag names.
fn which(flag: u8) -> usize {
    (flag & flags::STDERR != 0) as usize
}

/// While recording with more than one process: the right to write to this output, so that tickets have the
/// order of the writes.
pub struct Turn {
    which: Option<usize>,
}

/// Takes the right to write, and a ticket.
pub fn begin(flag: u8) -> (Turn, u64) {
    let control = process::control();
    let alone = control.live_processes.load(Ordering::Relaxed) <= 1;
    let turn = Turn { which: (!alone).then_some(which(flag)) };
    if let Some(which) = turn.which {
        let lock = &control.output_lock[which].0;
        let me = process::get().real_id;
        while let Err(holder) = lock.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
            kernel::futex_wait(lock, holder, 50);
            // SAFETY: signal 0 only asks whether the process exists.
            let exists = unsafe { kernel::call(libc::SYS_kill, [holder as u64, 0, 0, 0, 0, 0]) };
            if exists == Err(libc::ESRCH) {
                let _ = lock.compare_exchange(holder, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }
    (turn, control.output_ticket.0.fetch_add(1, Ordering::Relaxed))
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(which) = self.which {
            let lock = &process::control().output_lock[which].0;
            lock.store(0, Ordering::Release);
            kernel::futex_wake(lock);
        }
    }
}

/// Replay: waits for the ticket's turn, writes the same bytes, and lets the next one go.
pub fn reproduce(number: u16, arguments: &[u64; 6], result: i64, flag: u8, ticket: Option<u64>) {
    let control = process::control();
    if let Some(ticket) = ticket {
        while control.output_ticket.0.load(Ordering::Acquire) != ticket {
            let word = low_half(&control.output_ticket.0);
            let seen = word.load(Ordering::Acquire);
            if seen != ticket as u32 {
                kernel::futex_wait(word, seen, 100);
            }
            if kernel::hung_up(process::get().socket) {
                break;
            }
        }
    }
    let target = which(flag) as i32 + 1;
    let mut left = result.max(0) as u64;
    match number as i64 {
        libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 | libc::SYS_vmsplice => {
            for i in 0..arguments[2] {
                let Some([base, length]) = log::read_value::<[u64; 2]>(arguments[1] + 16 * i) else { break };
                let piece = length.min(left);
                write_program_bytes(target, base, piece);
                left -= piece;
            }
        }
        _ => write_program_bytes(target, arguments[1], left),
    }
    if let Some(ticket) = ticket {
        control.output_ticket.0.store(ticket + 1, Ordering::Release);
        kernel::futex_wake(low_half(&control.output_ticket.0));
    }
}

fn write_program_bytes(target: i32, address: u64, length: u64) {
    if length > 0 && process::control().debugger.is_silent.load(Ordering::Relaxed) == 0 {
        // SAFETY: the kernel read these bytes in the recording, and replay has just verified their hash.
        let bytes = unsafe { core::slice::from_raw_parts(address as *const u8, length as usize) };
        let _ = kernel::write_all(target, bytes);
    }
}

fn low_half(word: &core::sync::atomic::AtomicU64) -> &core::sync::atomic::AtomicU32 {
    // SAFETY: the low half of a live, aligned 64-bit atomic is an aligned 32-bit word on a little-endian
    // machine; it is only read and used as a futex.
    unsafe { &*word.as_ptr().cast::<core::sync::atomic::AtomicU32>() }
}
