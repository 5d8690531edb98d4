//! The operations that take an object, or let others take it: all alike, one row each.

use super::cancel;
use super::engine::{self, Subject};
use super::original::Original;
use super::quick;
use super::stack;
use super::word::{SPINS, Word};
use crate::order::sections::{self, state};
use crate::thread::Thread;
use crate::{kernel, watch};
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use tracer_core::event::Operation;
use tracer_core::session::functions;

/// Offset in glibc's pthread_mutex_t (nptl/sysdeps/x86/nptl/bits/struct_mutex.h) of its kind.
pub const MUTEX_KIND: u64 = 16;
/// That of its place in a list, if it is robust: bytes that others do not use.
pub const MUTEX_LIST: u64 = 24;
/// The bit of its kind that says so.
const ROBUST: u32 = 0x10;
/// Whoever has it inherits the priority of those that wait for it.
const INHERITS: u32 = 0x20;
/// The bits that say whether it is normal, recursive, error-checking or adaptive.
const KINDS: u32 = 3;

/// How often a thread that finds a mutex taken looks again, and after how many `pause`s. A look takes the cache line from who
/// has the mutex, so they are few; all of them take less than to sleep and be woken.
const LOOKS: usize = 2;
const PAUSES: usize = 256;

/// The kind of a mutex that is being locked.
#[inline(always)]
fn kind_of(mutex: u64) -> u32 {
    // SAFETY: libc will read this mutex in a moment.
    unsafe { ((mutex + MUTEX_KIND) as *const u32).read() }
}

/// Its first word, which is 0 while nobody has it.
#[inline(always)]
fn lock_of(mutex: u64) -> &'static AtomicI32 {
    // SAFETY: libc will use this mutex in a moment, and callers have done with the word by then.
    unsafe { &*(mutex as *const AtomicI32) }
}

/// A mutex that is being locked.
#[inline(always)]
pub fn mutex(object: u64) -> Subject {
    if kind_of(object) & ROBUST != 0 {
        return Subject::by_address(Operation::Mutex, object);
    }
    // SAFETY: glibc uses these bytes in robust mutexes only.
    let word = unsafe { Word::at(object + MUTEX_LIST) };
    Subject { operation: Operation::Mutex, object, word, alone: true }
}

fn read_write(object: u64) -> Subject {
    Subject::by_address(Operation::ReadWrite, object)
}

fn spin(object: u64) -> Subject {
    Subject::by_address(Operation::Spin, object)
}

fn take(object: u64) -> Subject {
    Subject::by_address(Operation::Take, object)
}

fn give(object: u64) -> Subject {
    Subject::by_address(Operation::Give, object)
}

fn wake(object: u64) -> Subject {
    Subject::by_address(Operation::Wake, object)
}

/// How a function says that it failed.
pub trait Failure {
    /// The error, or 0, after the function returned `result`.
    fn error(result: i32) -> i32;
    /// What the function returns for it.
    fn result(error: i32) -> i32;
}

/// By returning the error.
struct Returned;

impl Failure for Returned {
    #[inline(always)]
    fn error(result: i32) -> i32 {
        result
    }

    #[inline(always)]
    fn result(error: i32) -> i32 {
        error
    }
}

/// By returning -1, with the error in errno.
struct InErrno;

/// `__errno_location`.
pub static ERRNO: Original = Original::new();

impl Failure for InErrno {
    fn error(result: i32) -> i32 {
        match result {
            0 => 0,
            // SAFETY: libc's function, which was found before anything was redirected.
            _ => unsafe { *(ERRNO.address([]) as *const i32) },
        }
    }

    fn result(error: i32) -> i32 {
        if error == 0 {
            return 0;
        }
        // SAFETY: as above.
        unsafe { *(ERRNO.address([]) as *mut i32) = error };
        -1
    }
}

/// The error of a function that returned -1 for one, or 0.
pub fn error_of(result: i32) -> i32 {
    InErrno::error(result)
}

/// A function whose entry is redirected.
pub struct Row {
    /// Its name in libc.
    pub name: &'static [u8],
    /// Gives what is called in its place.
    pub hook: fn() -> u64,
    /// Where it goes on.
    pub original: &'static Original,
    /// What does the same, if the function begins with a loop, so that a jump there could not be left again.
    pub equivalent: Option<fn() -> u64>,
    /// The hook runs on the program's stack ([`super::stack`]): it may call the program.
    pub stays: bool,
    /// What is called, on the stack for operations, where a replay tells accesses.
    pub telling: Option<fn() -> u64>,
    /// Gives what is called before all this; it is told what to call then.
    pub quick: Option<fn(u64) -> u64>,
    /// So many of its arguments, from the first, are addresses of objects.
    pub objects: u64,
}

impl Row {
    /// The usual one: the hook runs on the stack for operations, and calls the function by `original`.
    pub const fn new(name: &'static [u8], hook: fn() -> u64, original: &'static Original) -> Row {
        Row { name, hook, original, equivalent: None, stays: false, telling: None, quick: None, objects: 0 }
    }

    /// With something that does the same as the function.
    pub const fn with_equivalent(self, equivalent: fn() -> u64) -> Row {
        Row { equivalent: Some(equivalent), ..self }
    }

    /// With a hook that stays on the program's stack.
    pub const fn staying(self) -> Row {
        Row { stays: true, ..self }
    }

    /// With another hook where a replay tells accesses.
    pub const fn telling(self, hook: fn() -> u64) -> Row {
        Row { telling: Some(hook), ..self }
    }

    /// With something that may do it, in the usual case.
    pub const fn quick(self, quick: fn(u64) -> u64) -> Row {
        Row { quick: Some(quick), ..self }
    }

    /// With addresses of objects for its first arguments.
    pub const fn with_objects(self, objects: u64) -> Row {
        Row { objects, ..self }
    }

    /// What is called in the function's place now.
    pub fn entry(&self) -> Option<u64> {
        match self.telling.filter(|_| watch::accesses::are_told()) {
            Some(telling) => stack::entry(telling()),
            None if self.stays => Some((self.hook)()),
            None => {
                let usual = stack::entry_with_objects((self.hook)(), self.original, self.objects)?;
                Some(self.quick.map_or(usual, |quick| quick(usual)))
            }
        }
    }
}

/// libc's sem_trywait: the value is the low half of the first 8 bytes (struct new_sem in glibc's nptl).
extern "C" fn equivalent_sem_trywait(semaphore: u64) -> i32 {
    // SAFETY: the program's semaphore.
    let data = unsafe { &*(semaphore as *const AtomicU64) };
    let decrement = |seen: u64| (seen as u32 != 0).then(|| seen - 1);
    match data.fetch_update(Ordering::Acquire, Ordering::Relaxed, decrement) {
        Ok(_) => 0,
        Err(_) => InErrno::result(libc::EAGAIN),
    }
}

/// libc's pthread_spin_lock, which begins with its loop: 1 is free, 0 is taken (sysdeps/x86_64/nptl/pthread_spin_lock.S).
extern "C" fn equivalent_spin_lock(object: u64) -> i32 {
    // SAFETY: the program's spin lock.
    let lock = unsafe { &*(object as *const AtomicI32) };
    while lock.compare_exchange_weak(1, 0, Ordering::Acquire, Ordering::Relaxed).is_err() {
        watch::alone::while_others_go_on(core::hint::spin_loop);
    }
    0
}

/// libc's pthread_rwlock_tryrdlock: what would wait until a time that is over.
extern "C" fn equivalent_read_trylock(object: u64) -> i32 {
    let past = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: libc's function, with the program's lock.
    match unsafe { READ_TIMEDLOCK.call([object, &raw const past as u64]) } {
        libc::ETIMEDOUT => libc::EBUSY,
        other => other,
    }
}

/// Does an operation once: whatever comes of it is the function's result.
#[inline(always)]
pub fn once(thread: &mut Thread, _: u8, operation: impl FnOnce(&mut Thread) -> i32) -> i32 {
    operation(thread)
}

macro_rules! either {
    () => {
        once
    };
    ($other:path) => {
        $other
    };
}
pub(super) use either;

/// Hooks of functions that wait, or fail where they would have to; what replay calls when it knows that they
/// succeeded: the function for the same kind of object that waits; and what recording does first.
macro_rules! taking {
    (objects $objects:literal; $($name:literal $static:ident $hook:ident($first:ident $(, $argument:ident)*): $subject:ident, $failure:ident, waits $waiting:expr $(, equivalent $equivalent:ident)? $(, eased $ease:ident)? $(, repeated by $repeat:path)? $(, quick $quick:path)?;)*) => {
        $(
            pub(super) static $static: Original = Original::new();

            extern "C" fn $hook($first: u64 $(, $argument: u64)*) -> i32 {
                // SAFETY: libc's function, with the arguments that the program passes.
                let attempt = || unsafe { $static.call([$first $(, $argument)*]) };
                let Some((thread, state)) = sections::ordered() else { return attempt() };
                let operate = |thread: &mut Thread| {
                    if state == state::REPLAY {
                        return replay::$hook(thread, $first);
                    }
                    $($ease($first);)?
                    let error =
                        engine::record_taking(thread, $subject($first), || $failure::error(attempt()));
                    $failure::result(error)
                };
                either!($($repeat)?)(thread, state, operate)
            }
        )*

        /// What the hooks do in replay, apart: a recording is not to be burdened with it.
        mod replay {
            use super::*;

            $(
                #[cold]
                #[inline(never)]
                pub fn $hook(thread: &mut Thread, object: u64) -> i32 {
                    const FUNCTION: Option<u16> = functions::number($name);
                    watch::operation_begins(thread, FUNCTION, [object, 0]);
                    let wait = || $failure::error(($waiting)(object));
                    let error = engine::replay_taking(thread, $subject(object), wait);
                    watch::operation_ends(thread, FUNCTION, object, error);
                    $failure::result(error)
                }
            )*
        }

        /// The functions that take an object.
        pub static TAKING: &[Row] =
            &[$(
                Row::new($name, || $hook as *const () as u64, &$static)
                    .with_objects($objects)
                    $(.quick($quick))?
                    $(.with_equivalent(|| $equivalent as *const () as u64))?
            ),*];
    };
}
pub(super) use taking;

taking! {
    objects 1;
    b"pthread_mutex_lock" MUTEX_LOCK mutex_lock(object): mutex, Returned, waits lock, eased back_off, quick quick::entry;
    b"pthread_mutex_trylock" MUTEX_TRYLOCK mutex_trylock(object): mutex, Returned, waits lock;
    b"pthread_mutex_timedlock" MUTEX_TIMEDLOCK mutex_timedlock(object, until): mutex, Returned, waits lock;
    b"pthread_mutex_clocklock" MUTEX_CLOCKLOCK mutex_clocklock(object, clock, until): mutex, Returned, waits lock;
    b"pthread_rwlock_rdlock" READ_LOCK read_lock(object): read_write, Returned, waits by(&READ_LOCK);
    b"pthread_rwlock_tryrdlock" READ_TRYLOCK read_trylock(object): read_write, Returned, waits by(&READ_LOCK), equivalent equivalent_read_trylock;
    b"pthread_rwlock_timedrdlock" READ_TIMEDLOCK read_timedlock(object, until): read_write, Returned, waits by(&READ_LOCK);
    b"pthread_rwlock_clockrdlock" READ_CLOCKLOCK read_clocklock(object, clock, until): read_write, Returned, waits by(&READ_LOCK);
    b"pthread_rwlock_wrlock" WRITE_LOCK write_lock(object): read_write, Returned, waits by(&WRITE_LOCK);
    b"pthread_rwlock_trywrlock" WRITE_TRYLOCK write_trylock(object): read_write, Returned, waits by(&WRITE_LOCK);
    b"pthread_rwlock_timedwrlock" WRITE_TIMEDLOCK write_timedlock(object, until): read_write, Returned, waits by(&WRITE_LOCK);
    b"pthread_rwlock_clockwrlock" WRITE_CLOCKLOCK write_clocklock(object, clock, until): read_write, Returned, waits by(&WRITE_LOCK);
    b"pthread_spin_lock" SPIN_LOCK spin_lock(object): spin, Returned, waits by(&SPIN_LOCK), equivalent equivalent_spin_lock;
    b"pthread_spin_trylock" SPIN_TRYLOCK spin_trylock(object): spin, Returned, waits by(&SPIN_LOCK);
    b"sem_wait" SEM_WAIT sem_wait(object): take, InErrno, waits decrement, repeated by cancel::repeat;
    b"sem_trywait" SEM_TRYWAIT sem_trywait(object): take, InErrno, waits decrement, equivalent equivalent_sem_trywait;
    b"sem_timedwait" SEM_TIMEDWAIT sem_timedwait(object, until): take, InErrno, waits decrement, repeated by cancel::repeat;
    b"sem_clockwait" SEM_CLOCKWAIT sem_clockwait(object, clock, until): take, InErrno, waits decrement, repeated by cancel::repeat;
}

/// Hooks of functions that let others go on. Who waits for a condition variable does not do so in replay, which knows when
/// it wakes: there it need not be told.
macro_rules! giving {
    ($($name:literal $static:ident $hook:ident($first:ident): $subject:ident, replayed $replayed:literal;)*) => {
        $(
            static $static: Original = Original::new();

            extern "C" fn $hook($first: u64) -> i32 {
                let ordered = sections::ordered();
                if let Some((thread, state)) = ordered.filter(|(thread, _)| !thread.is_waiting_for($first)) {
                    if state == state::REPLAY {
                        watch::operation_begins(thread, functions::number($name), [$first, 0]);
                    }
                    engine::give(thread, state, $subject($first));
                    watch::alone::before_program();
                    if state == state::REPLAY && !$replayed {
                        return 0;
                    }
                }
                // SAFETY: libc's function, with the argument that the program passes.
                unsafe { $static.call([$first]) }
            }
        )*

        /// The functions that let others take an object.
        pub static GIVING: &[Row] =
            &[$(Row::new($name, || $hook as *const () as u64, &$static).with_objects(1)),*];
    };
}

giving! {
    b"pthread_cond_signal" COND_SIGNAL cond_signal(object): wake, replayed false;
    b"pthread_cond_broadcast" COND_BROADCAST cond_broadcast(object): wake, replayed false;
    b"sem_post" SEM_POST sem_post(object): give, replayed true;
}

/// Locks a mutex in replay, whatever function locked it in the recording.
pub fn lock(object: u64) -> i32 {
    let kind = kind_of(object);
    if kind & INHERITS == 0 {
        if kind & KINDS != libc::PTHREAD_MUTEX_RECURSIVE as u32 {
            wait_a_moment(object);
        }
        // SAFETY: libc's function, with the program's mutex.
        return unsafe { MUTEX_LOCK.call([object]) };
    }
    // The kernel would look for the owner by its recorded thread id. Who gives the mutex up finds no waiter noted in it,
    // and wakes nobody.
    loop {
        // SAFETY: as above.
        match unsafe { MUTEX_TRYLOCK.call([object]) } {
            libc::EBUSY => kernel::yield_processor(),
            other => return other,
        }
    }
}

/// A mutex is about to be locked in a recording: a thread that finds it taken lets the other one work for a moment.
///
/// Two threads that take the same lock all the time are slow while both run: each operation waits for the mutex's cache
/// line. libc comes out of that by sleeping, which it does only if the lock is still taken when the kernel looks, and
/// with our hook in between it seldom is: 20 million operations took 1.7 of native, and 1.05 with this.
#[inline(always)]
fn back_off(mutex: u64) {
    if lock_of(mutex).load(Ordering::Relaxed) != 0 {
        back_off_from(mutex);
    }
}

#[cold]
#[inline(never)]
fn back_off_from(mutex: u64) {
    if kind_of(mutex) & (KINDS | ROBUST | INHERITS) != libc::PTHREAD_MUTEX_NORMAL as u32 {
        // The thread may have it itself, or the function has its own way to wait.
        return;
    }
    for _ in 0..LOOKS {
        (0..PAUSES).for_each(|_| core::hint::spin_loop());
        if lock_of(mutex).load(Ordering::Relaxed) == 0 {
            return;
        }
    }
}

/// Looks for a while whether the mutex is given up: it is this thread's turn to have it, so who has it is about to, and libc
/// would sleep at once.
fn wait_a_moment(mutex: u64) {
    for _ in 0..SPINS {
        if lock_of(mutex).load(Ordering::Relaxed) == 0 {
            return;
        }
        core::hint::spin_loop();
    }
}

/// Waits by the function of a row that does: the program's object is all that it takes.
pub fn by(function: &'static Original) -> impl Fn(u64) -> i32 {
    // SAFETY: the row's function, with the object that the program passes.
    move |object| unsafe { function.call([object]) }
}

fn decrement(object: u64) -> i32 {
    // SAFETY: libc's function, with the program's semaphore.
    cancel::within(|| unsafe { SEM_WAIT.call([object]) })
}
