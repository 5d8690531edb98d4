//! Functions of libc and libgomp that share state under locks or atomics of their own, which nobody sees.
//!
//! Their entries are redirected ([`entry`]). While threads run in parallel each call is enclosed by a lock whose order is
//! kept: for a stream its own, by `flockfile`; for other state one of [`Own`]. [`table`] says which function needs which.
//! A function may call others: the locks can be taken again by who has them.

mod entry;
mod recursive;
mod stream;
mod table;

use super::original::Original;
use super::{openmp, stack};
use crate::thread;
use crate::watch::alone;
use core::ffi::c_void;
use recursive::Recursive;
use table::{COUNT, ROWS, Row};

pub use stream::ROWS as STREAMS;

/// Where each function goes on.
static FUNCTIONS: [Original; COUNT] = [const { Original::new() }; COUNT];

static AT_EXIT: Original = Original::new();

/// Functions of libc that are called here.
pub static NEEDED: [(&[u8], &Original); 7] = [
    (b"__cxa_atexit", &AT_EXIT),
    (b"funlockfile", &stream::UNLOCK),
    (b"fflush", &stream::FLUSH),
    (b"_IO_iter_begin", &stream::FIRST),
    (b"_IO_iter_end", &stream::END),
    (b"_IO_iter_next", &stream::NEXT),
    (b"_IO_iter_file", &stream::AT),
];

/// State that functions share.
#[derive(Clone, Copy)]
pub enum Own {
    /// The list of all streams.
    Streams,
    /// Environment variables.
    Environment,
    /// The generators of random numbers.
    Random,
    /// The time zone.
    Time,
    /// What is called at exit.
    Exit,
    /// The keys of thread-specific data.
    Keys,
    /// What is called at fork.
    Fork,
    /// Named semaphores.
    Semaphores,
    /// The connection to the system's log.
    Log,
    /// Children that libc starts, and what it changes for them.
    Children,
    /// The name services.
    Names,
    /// What the threads of OpenMP's teams share among them.
    SharedWork,
}

static LOCKS: [Recursive; Own::SharedWork as usize + 1] =
    [const { Recursive::new() }; Own::SharedWork as usize + 1];

impl Own {
    fn lock(self) -> &'static Recursive {
        &LOCKS[self as usize]
    }
}

/// What encloses a function.
#[derive(Clone, Copy)]
pub enum Enclosing {
    /// The lock of the stream that is this argument.
    Argument(u8),
    /// The lock of a standard stream.
    Standard(u8),
    /// A lock of ours.
    By(Own),
    /// The stream is closed: all that others do to it comes before.
    Closed,
    /// The lock of the stream that is the first argument; without one, all streams are meant.
    Flushed,
    /// All streams are meant.
    AllFlushed,
    /// OpenMP's shared work, once the thread has its turn in an ordered loop.
    InTurn,
}

/// A call that is enclosed, or its frame: on the thread's stack.
#[repr(C)]
pub struct Enclosure {
    outer: *const Enclosure,
    held: Held,
}

#[repr(C)]
#[derive(Clone, Copy)]
enum Held {
    Nothing,
    Stream(u64),
    Own(Own),
}

impl Held {
    fn stream(stream: u64) -> Held {
        if !stream::is_locked_by_libc(stream) {
            return Held::Nothing;
        }
        stream::lock(stream);
        Held::Stream(stream)
    }

    fn own(own: Own) -> Held {
        own.lock().enter();
        Held::Own(own)
    }

    fn give_back(self) {
        match self {
            Held::Nothing => {}
            Held::Stream(stream) => stream::unlock(stream),
            Held::Own(own) => own.lock().leave(),
        }
    }
}

/// What is to be called.
#[repr(C)]
struct Target {
    function: u64,
    /// Arguments before those that go into a va_list, or 0.
    fixed: u64,
}

/// The functions whose calls are enclosed: the name, the entry, and where the function is to be found then.
pub fn hooks() -> impl Iterator<Item = (&'static [u8], u64, &'static Original)> {
    ROWS.iter().zip(&FUNCTIONS).enumerate().map(|(row, (of, function))| (of.name, entry::of(row), function))
}

/// The program begins.
pub fn begin() {
    stream::find();
    if AT_EXIT.place() != 0 {
        // Before any other: it is called last. libc flushes streams after that.
        // SAFETY: libc's function, with one of ours that takes no argument.
        unsafe { AT_EXIT.call([stream::exit as *const () as u64, 0, 0]) };
    }
}

/// In the child of a fork.
pub fn reset() {
    LOCKS.iter().for_each(Recursive::reset);
}

/// A call of the function of that row begins, with these arguments in registers.
extern "C" fn enter(row: usize, arguments: &[u64; 6], enclosure: &mut Enclosure) -> Target {
    stack::run(|| begin_call(row, arguments, enclosure))
}

fn begin_call(row: usize, arguments: &[u64; 6], enclosure: &mut Enclosure) -> Target {
    let Row { by, fixed, listed, .. } = ROWS[row];
    let mut function = FUNCTIONS[listed].place();
    let thread = thread::current();
    enclosure.outer = thread.enclosure;
    enclosure.held = if thread.borrows_memory {
        Held::Nothing
    } else {
        match by {
            Enclosing::Argument(number) => Held::stream(arguments[number as usize]),
            Enclosing::Standard(descriptor) => Held::stream(stream::standard(descriptor as usize)),
            Enclosing::By(own) => Held::own(own),
            Enclosing::InTurn => {
                openmp::wait_for_turn();
                Held::own(Own::SharedWork)
            }
            Enclosing::Closed => {
                Held::stream(arguments[0]).give_back();
                Held::Nothing
            }
            Enclosing::Flushed if arguments[0] != 0 => Held::stream(arguments[0]),
            Enclosing::Flushed | Enclosing::AllFlushed => {
                function = stream::flush_all as *const () as u64;
                Held::own(Own::Streams)
            }
        }
    };
    thread::current().enclosure = enclosure;
    alone::before_program();
    Target { function, fixed: fixed as u64 }
}

/// It is over.
extern "C" fn leave(enclosure: &Enclosure) {
    thread::current().enclosure = enclosure.outer;
    stack::run(|| {
        enclosure.held.give_back();
        alone::before_program();
    });
}

/// The personality routine of such a call's frame (Itanium C++ ABI, level 1): it has nothing to catch exceptions with, and
/// nothing to be cleaned up but the lock.
extern "C" fn unwind(_: i32, actions: i32, _: u64, _: *const c_void, _: *const c_void) -> i32 {
    const CLEANUP_PHASE: i32 = 2;
    const CONTINUE_UNWIND: i32 = 8;
    if actions & CLEANUP_PHASE != 0 {
        // SAFETY: unwinding goes from the innermost frame outwards: this is the one that was entered last and not left.
        if let Some(enclosure) = unsafe { thread::current().enclosure.as_ref() } {
            leave(enclosure);
        }
    }
    CONTINUE_UNWIND
}
