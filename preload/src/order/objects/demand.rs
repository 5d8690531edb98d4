//! Replay: threads whose streams have ended before they have, and what others still need of them.
//!
//! The recording's end met such a thread somewhere behind its last event: it may have made further operations, which were
//! not logged, on objects that it was the last to use. How many, shows in what another thread logged that came next on
//! one of the objects: in it is whose operation was the one before. So such a thread goes on only while another one
//! waits for a place that comes next after it. It must not go further even by one: the object would have passed the place.

use super::word::Word;
use crate::thread::Thread;
use crate::{kernel, process};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering};

/// Lists; threads share them by the numbers of their streams. The last one is of what any of them may do.
const LISTS: usize = 64;
/// In place of a stream: several threads may still have to do something.
pub const ANYBODY: u32 = u32::MAX;
/// Milliseconds after which a sleeper looks whether anybody is still there.
const PATIENCE: u64 = 1000;

/// How often in a row a thread has to find that it is waited for by one that sleeps: one that is just about to find out that
/// it need not is in the list too.
const LOOKS: u32 = 5;
/// Milliseconds between them.
const BETWEEN: u64 = 10;
/// Nanoseconds of processor time in which a process between two looks does nothing but wait.
const NOTHING: u64 = 200_000;

/// That a thread waits for a place.
struct Need {
    word: *const Word,
    count: u64,
    /// Whose operation comes before.
    stream: u32,
    next: *mut Need,
}

#[repr(align(64))]
struct List {
    /// 1 while a thread is in the list.
    taken: AtomicU32,
    /// A futex: changes when something was added.
    bell: AtomicU32,
    /// Threads that sleep on it.
    sleepers: AtomicU32,
    first: UnsafeCell<*mut Need>,
}

// SAFETY: `first`, and what it leads to, is used only by who is in the list.
unsafe impl Sync for List {}

static NEEDS: [List; LISTS + 1] = [const {
    List {
        taken: AtomicU32::new(0),
        bell: AtomicU32::new(0),
        sleepers: AtomicU32::new(0),
        first: UnsafeCell::new(null_mut()),
    }
}; LISTS + 1];

impl List {
    fn of(stream: u32) -> &'static List {
        if stream == ANYBODY { &NEEDS[LISTS] } else { &NEEDS[stream as usize % LISTS] }
    }

    /// Something was added.
    fn ring(&self) {
        self.bell.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) != 0 {
            kernel::futex_wake(&self.bell);
        }
    }

    fn with<R>(&self, action: impl FnOnce(&mut *mut Need) -> R) -> R {
        while self.taken.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            kernel::yield_processor();
        }
        // SAFETY: in the list, this is the only reference.
        let result = action(unsafe { &mut *self.first.get() });
        self.taken.store(0, Ordering::Release);
        result
    }
}

/// Does `action`, which sleeps until `stream` gives something up. If that stream has ended, its thread goes on for so long: it
/// cannot have been stopped before in the recording.
pub fn while_held<R>(stream: u32, action: impl FnOnce() -> R) -> R {
    static NOTHING: Word = Word::new();
    while_needed(&NOTHING, u64::MAX, stream, action)
}

/// Does `action`, which waits until there were `count` operations of `word`'s; the operation before is one of `stream`'s, or
/// those before may be [`ANYBODY`]'s.
pub fn while_needed<R>(word: &Word, count: u64, stream: u32, action: impl FnOnce() -> R) -> R {
    let list = List::of(stream);
    let mut need = Need { word, count, stream, next: null_mut() };
    let own = &raw mut need;
    list.with(|first| {
        // SAFETY: it is in no list yet.
        unsafe { (*own).next = *first };
        *first = own;
    });
    if stream == ANYBODY {
        NEEDS.iter().for_each(List::ring)
    } else {
        list.ring()
    }
    let result = action();
    list.with(|first| {
        let mut at: *mut *mut Need = first;
        // SAFETY: what is in the list stays until it is taken out, by who is in the list; ours is there.
        unsafe {
            while *at != own {
                at = &raw mut (**at).next;
            }
            *at = (*own).next;
        }
    });
    result
}

/// Whether the stream is needed, and for how many operations: `u64::MAX` if for an unknown number.
fn needed(stream: u32) -> Option<u64> {
    List::of(stream).with(|first| {
        let mut at = *first;
        // SAFETY: as above; the word is an object's that a thread waits at.
        unsafe {
            while let Some(need) = at.as_ref() {
                if need.stream == stream && (*need.word).count() < need.count {
                    return Some(need.count);
                }
                at = need.next;
            }
        }
        None
    })
}

/// Waits until somebody needs an operation of the calling thread.
///
/// What anybody may do is done by one whose stream has ended only if nobody else does it: not while the process works.
pub fn wait(thread: &mut Thread) {
    let list = List::of(thread.stream);
    list.sleepers.fetch_add(1, Ordering::SeqCst);
    let (mut looks, mut worked) = (0, 0);
    loop {
        let bell = list.bell.load(Ordering::SeqCst);
        let patience = match needed(thread.stream) {
            Some(u64::MAX) if looks < LOOKS => {
                looks += 1;
                BETWEEN
            }
            Some(_) => break,
            None if needed(ANYBODY).is_some() => {
                let works =
                    kernel::processor_time() - core::mem::replace(&mut worked, kernel::processor_time());
                looks = if works > NOTHING { 0 } else { looks + 1 };
                if looks == LOOKS {
                    break;
                }
                BETWEEN
            }
            None => {
                looks = 0;
                PATIENCE
            }
        };
        if kernel::futex_wait(&list.bell, bell, patience) {
            process::end_if_abandoned();
        }
    }
    list.sleepers.fetch_sub(1, Ordering::Relaxed);
}
