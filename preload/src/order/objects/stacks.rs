//! Threads: their stacks, and who waits for their ends.
//!
//! libc keeps the stacks of threads that have ended and gives them to new ones; which, depends on how far a thread's end
//! has come. Here each thread gets a stack as one that its program had made, from a list that is used in the recorded order.
//! In it lies what libc knows about the thread, so that it can be used again when the thread has ended and was joined, or
//! had been detached.
//!
//! To libc all these threads are joinable: the memory of a detached one is freed by whoever comes first, the thread that ends
//! or the one that detaches it. Here such a thread is joined by the next one that creates a thread.

use super::cancel;
use super::engine::{self, Subject};
use super::ordered::Ordered;
use super::original::Original;
use super::rows::Row;
use crate::order::sections;
use crate::{kernel, thread, watch};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use tracer_core::event::Operation;
use tracer_core::session::functions;

/// Where stacks are: below the allocator's memory (`super::memory`).
const BASE: u64 = 0x2900_0000_0000;
const PAGE: u64 = 4096;
/// Bytes of glibc's pthread_attr_t, the bit in its flags that says that the program has made the stack, and the argument
/// that stands for C11's threads (bits/pthreadtypes-arch.h, nptl/pthreadP.h). These differ from others in the type of what
/// their functions return, which is in the same register, and thrd_join looks at its low half only.
const ATTRIBUTES: usize = 56;
const FLAGS: usize = 8;
const HAS_STACK: u32 = 8;
const C11: u64 = u64::MAX;

/// A stack, and what became of its thread.
struct Stack {
    /// Where its guard begins.
    base: u64,
    guard: u64,
    size: u64,
    use_: Use,
    /// What libc calls its thread, once that has ended.
    thread: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    /// Its thread runs, and is to be joined.
    Joinable,
    /// Its thread runs, and nobody will ask for its end.
    Detached,
    /// Its thread has ended, and was not joined yet.
    Ended,
    /// Its thread has ended, and will not be joined by the program.
    Abandoned,
}

struct Stacks {
    all: UnsafeCell<Vec<Stack>>,
}

// SAFETY: used only by who is in LOCK.
unsafe impl Sync for Stacks {}

static LOCK: Ordered = Ordered::new();
static STACKS: Stacks = Stacks { all: UnsafeCell::new(Vec::new()) };

fn with<R>(action: impl FnOnce(&mut Vec<Stack>) -> R) -> R {
    LOCK.enter();
    // SAFETY: in the lock, this is the only reference.
    let result = action(unsafe { &mut *STACKS.all.get() });
    LOCK.leave();
    result
}

impl Stack {
    fn end(&self) -> u64 {
        self.base + self.guard + self.size
    }

    /// Forgets what it contains, for the next thread.
    fn clear(&mut self) {
        self.use_ = Use::Free;
        let arguments = [self.base + self.guard, self.size, libc::MADV_DONTNEED as u64, 0, 0, 0];
        // SAFETY: nobody uses it any more.
        let _ = unsafe { kernel::call(libc::SYS_madvise, arguments) };
    }
}

/// A stack of that size. `None` if there is no memory.
fn take(size: u64, guard: u64, detached: bool) -> Option<u64> {
    let use_ = if detached { Use::Detached } else { Use::Joinable };
    with(|stacks| {
        let fits = |stack: &&mut Stack| stack.use_ == Use::Free && stack.size == size && stack.guard == guard;
        if let Some(stack) = stacks.iter_mut().find(fits) {
            stack.use_ = use_;
            return Some(stack.base + stack.guard);
        }
        let base = stacks.last().map_or(BASE, Stack::end);
        let flags = libc::MAP_PRIVATE
            | libc::MAP_ANONYMOUS
            | libc::MAP_NORESERVE
            | libc::MAP_STACK
            | libc::MAP_FIXED_NOREPLACE;
        let access = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        // SAFETY: nothing is mapped there.
        watch::accesses::while_mappings_change(|| unsafe {
            kernel::call(libc::SYS_mmap, [base, guard + size, 0, flags as u64, u64::MAX, 0]).ok()?;
            kernel::call(libc::SYS_mprotect, [base + guard, size, access, 0, 0, 0]).ok()
        })?;
        stacks.push(Stack { base, guard, size, use_, thread: 0 });
        Some(base + guard)
    })
}

/// The stack that `address` is in, if it is one of these.
fn containing(stacks: &mut [Stack], address: u64) -> Option<&mut Stack> {
    let index = stacks.partition_point(|stack| stack.end() <= address);
    stacks.get_mut(index).filter(|stack| stack.base <= address)
}

/// Does `action` to the stack that `address` is in, if it is one of these.
fn change(address: u64, action: impl FnOnce(&mut Stack)) {
    with(|stacks| {
        if let Some(stack) = containing(stacks, address) {
            action(stack);
        }
    });
}

/// libc's name for the calling thread: the word that says where its control block is (tcbhead_t.self).
pub fn calling_thread() -> u64 {
    let own: u64;
    // SAFETY: reads a word that each thread of libc's has.
    unsafe { core::arch::asm!("mov {}, fs:[0x10]", out(reg) own, options(pure, readonly, nostack)) };
    own
}

/// What `action` gives, while the thread cannot end; `None` if it has ended.
pub fn while_it_runs<R>(thread: u64, action: impl FnOnce() -> R) -> Option<R> {
    with(|stacks| {
        let ended = containing(stacks, thread)
            .is_some_and(|stack| !matches!(stack.use_, Use::Joinable | Use::Detached));
        (!ended).then(action)
    })
}

/// The calling thread ends. `tell` lets those know that wait for it: nobody can do anything with the stack before that has
/// been done.
pub fn thread_ends(tell: impl FnOnce()) {
    let own = calling_thread();
    with(|stacks| {
        tell();
        if let Some(stack) = containing(stacks, own) {
            stack.thread = own;
            stack.use_ = if stack.use_ == Use::Detached { Use::Abandoned } else { Use::Ended };
        }
    });
}

/// Joins the detached threads that have ended.
fn join_abandoned() {
    with(|stacks| {
        for stack in stacks.iter_mut().filter(|stack| stack.use_ == Use::Abandoned) {
            // SAFETY: libc's function, with a thread that has ended and that it takes for one to be joined.
            unsafe { JOIN.call([stack.thread, 0]) };
            stack.clear();
        }
    });
}

static CREATE: Original = Original::new();
static JOIN: Original = Original::new();
static TRY_JOIN: Original = Original::new();
static TIMED_JOIN: Original = Original::new();
static CLOCK_JOIN: Original = Original::new();
static DETACH: Original = Original::new();
static GET_ATTRIBUTES: Original = Original::new();
/// Functions that deal with attributes.
pub static INITIALISE: Original = Original::new();
/// `pthread_attr_getstacksize`.
pub static STACK_SIZE: Original = Original::new();
/// `pthread_attr_getguardsize`.
pub static GUARD_SIZE: Original = Original::new();
/// `pthread_attr_getdetachstate`.
pub static DETACH_STATE: Original = Original::new();
/// `pthread_attr_setdetachstate`.
pub static SET_DETACH_STATE: Original = Original::new();
/// `pthread_attr_setguardsize`.
pub static SET_GUARD_SIZE: Original = Original::new();
/// `pthread_attr_setstack`.
pub static SET_STACK: Original = Original::new();

extern "C" fn create(result: u64, attributes: u64, function: u64, argument: u64) -> i32 {
    // SAFETY: libc's function, with the program's arguments, but maybe other attributes.
    let create = |attributes: u64| unsafe { CREATE.call([result, attributes, function, argument]) };
    if thread::current().borrows_memory {
        return create(attributes);
    }
    let mut own = [0u64; ATTRIBUTES / 8];
    let address = own.as_mut_ptr() as u64;
    let (mut size, mut guard, mut detached) = (0u64, 0u64, 0i32);
    // SAFETY: the program's attributes, of that size; libc's functions, on a copy of them.
    unsafe {
        if attributes == 0 || attributes == C11 {
            INITIALISE.call([address]);
        } else {
            own = *(attributes as *const [u64; ATTRIBUTES / 8]);
        }
        if own.as_ptr().byte_add(FLAGS).cast::<u32>().read() & HAS_STACK != 0 {
            return create(attributes);
        }
        STACK_SIZE.call([address, &raw mut size as u64]);
        GUARD_SIZE.call([address, &raw mut guard as u64]);
        DETACH_STATE.call([address, &raw mut detached as u64]);
    }
    join_abandoned();
    let (size, guard) = (size.next_multiple_of(PAGE), guard.next_multiple_of(PAGE));
    let Some(stack) = take(size, guard, detached == libc::PTHREAD_CREATE_DETACHED) else {
        return libc::EAGAIN;
    };
    // SAFETY: as above.
    unsafe {
        SET_STACK.call([address, stack, size]);
        SET_DETACH_STATE.call([address, libc::PTHREAD_CREATE_JOINABLE as u64]);
    }
    let error = create(address);
    if error != 0 {
        change(stack, Stack::clear);
    }
    error
}

macro_rules! joining {
    ($($name:literal $static:ident $hook:ident(thread $(, $argument:ident)*);)*) => {
        $(
            extern "C" fn $hook(thread: u64 $(, $argument: u64)*) -> i32 {
                // SAFETY: libc's function, with the arguments that the program passes.
                join(thread, || unsafe { $static.call([thread $(, $argument)*]) }, [$($argument),*][0])
            }
        )*

        /// The functions that create threads, and wait for their ends.
        pub static ROWS: &[Row] = &[
            Row::new(b"pthread_create", || create as *const () as u64, &CREATE),
            Row::new(b"pthread_getattr_np", || get_attributes as *const () as u64, &GET_ATTRIBUTES).with_objects(1),
            Row::new(b"pthread_detach", || detach as *const () as u64, &DETACH).with_objects(1),
            $(Row::new($name, || $hook as *const () as u64, &$static).with_objects(1)),*
        ];
    };
}

joining! {
    b"pthread_join" JOIN join_thread(thread, value);
    b"pthread_tryjoin_np" TRY_JOIN try_join(thread, value);
    b"pthread_timedjoin_np" TIMED_JOIN timed_join(thread, value, until);
    b"pthread_clockjoin_np" CLOCK_JOIN clock_join(thread, value, clock, until);
}

fn join(joined: u64, attempt: impl Fn() -> i32, value: u64) -> i32 {
    if thread::current().borrows_memory {
        return attempt();
    }
    if is_detached(joined) {
        return libc::EINVAL;
    }
    // SAFETY: libc's function, with the program's arguments.
    let wait = || unsafe { JOIN.call([joined, value]) };
    const FUNCTION: Option<u16> = functions::number(b"pthread_join");
    watch::operation_begins(thread::current(), FUNCTION, [joined, 0]);
    let error = match sections::ordered() {
        None => attempt(),
        Some((thread, state)) => cancel::repeat(thread, state, |_| {
            engine::take(Subject::by_address(Operation::Join, joined), &attempt, wait)
        }),
    };
    watch::operation_ends(thread::current(), FUNCTION, joined, error);
    if error == 0 {
        change(joined, Stack::clear);
    }
    error
}

extern "C" fn detach(detached: u64) -> i32 {
    let mut error = None;
    if !thread::current().borrows_memory {
        change(detached, |stack| {
            (stack.use_, error) = match stack.use_ {
                Use::Joinable => (Use::Detached, Some(0)),
                Use::Ended => (Use::Abandoned, Some(0)),
                other => (other, Some(libc::EINVAL)),
            };
        });
    }
    // SAFETY: libc's function, with a thread that is on a stack of the program's or of libc's.
    error.unwrap_or_else(|| unsafe { DETACH.call([detached]) })
}

/// pthread_getattr_np: what libc does not know of a thread on one of our stacks. Rust's threads do not go on without a guard.
extern "C" fn get_attributes(asked: u64, attributes: u64) -> i32 {
    // SAFETY: libc's function, with the program's arguments.
    let error = unsafe { GET_ATTRIBUTES.call([asked, attributes]) };
    let mut found = None;
    if error == 0 && !thread::current().borrows_memory {
        change(asked, |stack| {
            found = Some((stack.guard, matches!(stack.use_, Use::Detached | Use::Abandoned)))
        });
    }
    if let Some((guard, detached)) = found {
        let state = if detached { libc::PTHREAD_CREATE_DETACHED } else { libc::PTHREAD_CREATE_JOINABLE };
        // SAFETY: libc's functions; it has just filled the attributes.
        unsafe {
            SET_GUARD_SIZE.call([attributes, guard]);
            SET_DETACH_STATE.call([attributes, state as u64]);
        }
    }
    error
}

/// Whether a thread has been detached: to libc it is not.
fn is_detached(thread: u64) -> bool {
    let mut detached = false;
    change(thread, |stack| detached = matches!(stack.use_, Use::Detached | Use::Abandoned));
    detached
}
