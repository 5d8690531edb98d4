//! Sync order: libc's synchronisation objects.
//!
//! In a recording with sync order, and in its replay, the entries of libc's functions for them are redirected to hooks
//! ([`rows`] has a row for each function; [`condition`], [`barrier`], [`once`] and [`stacks`] have what is not like the
//! others; [`memory`] has an allocator in place of libc's). Hooks
//! run on the program's stack and call the function itself. [`engine`] says what is logged and what replay waits for,
//! [`word`] where the order of an object's operations is kept.
//!
//! Redirected at their entries, functions are seen whoever calls them, C11's and libc's own included: what dlopen does
//! under ld.so's lock is ordered by that lock.
//!
//! libc sleeps in these functions by futex calls of its own, which are no events: they are made in replay too.

mod accesses;
mod barrier;
pub mod cancel;
mod condition;
mod demand;
mod enclosed;
mod engine;
mod interrupt;
mod memory;
mod once;
mod openmp;
mod ordered;
mod original;
mod quick;
mod rows;
mod stack;
mod stacks;
mod word;

use super::sections;
use crate::calls::generic;
use crate::signals::kernel_side;
use crate::start::maps::Mapping;
use crate::thread::Thread;
use crate::{debugger, kernel, process, sites, watch};
pub use accesses::{Accesses, nudge, nudged};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
pub use enclosed::Enclosure;
use kmod_shim::arch::native::frame::Frame;
use kmod_shim::arch::native::raw;
use kmod_shim::patch::near_memory::Region;
use kmod_shim::vdso::{Function, Functions};
pub use once::Initialiser;
pub use openmp::{memory_was_protected, memory_was_unmapped};
use original::Original;
use rows::Row;
pub use stack::{Lacking, lacks_object};
use tracer_core::session::Mode;
use tracer_core::syscalls;

/// How libc's file is called, and how the C++ library's name begins.
pub const LIBC: &[u8] = b"/libc.so.6";
const CPP: &[u8] = b"/libstdc++.so.6";

/// Functions of libc that hooks call.
static NEEDED: [(&[u8], &Original); 14] = [
    (b"pthread_mutex_unlock", &condition::MUTEX_UNLOCK),
    (b"__errno_location", &rows::ERRNO),
    (b"pthread_attr_init", &stacks::INITIALISE),
    (b"pthread_attr_getstacksize", &stacks::STACK_SIZE),
    (b"pthread_attr_getguardsize", &stacks::GUARD_SIZE),
    (b"pthread_attr_getdetachstate", &stacks::DETACH_STATE),
    (b"pthread_attr_setguardsize", &stacks::SET_GUARD_SIZE),
    (b"pthread_attr_setdetachstate", &stacks::SET_DETACH_STATE),
    (b"pthread_attr_setstack", &stacks::SET_STACK),
    (b"write", &memory::WRITE),
    (b"abort", &memory::ABORT),
    (b"pthread_setcanceltype", &cancel::SET_TYPE),
    (b"pthread_getcpuclockid", &cancel::CLOCK),
    (b"tgkill", &cancel::SEND),
];

/// libc's code.
static CODE: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// libc's `syscall`, and where it has ended: what calls the kernel there is the program.
static SYSCALL: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Bytes of that function, at most.
const SYSCALL_LENGTH: u64 = 64;

/// What is redirected in libc.
static ROWS: [&[Row]; 9] = [
    rows::TAKING,
    rows::GIVING,
    condition::WAITING,
    barrier::ROWS,
    once::LIBC,
    stacks::ROWS,
    cancel::ROWS,
    memory::ROWS,
    enclosed::STREAMS,
];

/// Where libc is loaded, until functions of it are enclosed. Most processes of a build or a script never have a
/// second thread, and to look at the functions takes a third of the time in which such a process runs.
static ENCLOSED_LATER: AtomicU64 = AtomicU64::new(0);

/// Redirects the functions, if the recording's order is sync.
pub fn install(mappings: &[Mapping]) {
    if !sections::is_chosen() {
        return;
    }
    if let Some(base) = base_of(mappings, |name| name.ends_with(LIBC)) {
        remember_code(mappings, base, &CODE);
        // SAFETY: ld.so has loaded it, and it stays for as long as the process lives.
        let functions = unsafe { Functions::at(base) };
        for (name, needed) in NEEDED.iter().chain(&enclosed::NEEDED) {
            if let Some(function) = functions.find(name) {
                needed.set(function.address);
            }
        }
        if let Some(function) = functions.find(b"syscall") {
            SYSCALL[0].store(function.address, Ordering::Relaxed);
            SYSCALL[1].store(function.address + SYSCALL_LENGTH, Ordering::Relaxed);
        }
        let mut redirected = Vec::new();
        redirect_all(base, &functions, &ROWS, &mut redirected);
        if debugger::is_attached() {
            // Later its breakpoints may be in the functions.
            enclose_all(base, &functions, &mut redirected);
        } else {
            ENCLOSED_LATER.store(base, Ordering::Relaxed);
        }
        enclosed::begin();
    }
    openmp::install(mappings);
    if let Some(base) = base_of(mappings, |name| contains(name, CPP)) {
        // SAFETY: as above.
        redirect_all(base, &unsafe { Functions::at(base) }, &[once::CPP], &mut Vec::new());
    }
}

/// Where the first mapping begins of a file that the program has loaded.
pub fn base_of(mappings: &[Mapping], is_wanted: impl Fn(&[u8]) -> bool) -> Option<u64> {
    mappings
        .iter()
        .find(|mapping| mapping.offset == 0 && is_wanted(mapping.name))
        .map(|mapping| mapping.begin)
}

fn contains(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|found| found == part)
}

/// The code of a file that is loaded at `base`.
fn code_behind<'a, 'b>(mappings: &'a [Mapping<'b>], base: u64) -> Option<&'a Mapping<'b>> {
    mappings.iter().find(|mapping| mapping.executable && mapping.begin >= base)
}

/// Notes where the code is of a file that is loaded at `base`.
fn remember_code(mappings: &[Mapping], base: u64, code: &[AtomicU64; 2]) {
    if let Some(found) = code_behind(mappings, base) {
        code[0].store(found.begin, Ordering::Relaxed);
        code[1].store(found.end, Ordering::Relaxed);
    }
}

/// Redirects the functions that there are rows for. Old versions, for old programs, have other objects.
fn redirect_all(base: u64, functions: &Functions, rows: &[&[Row]], redirected: &mut Vec<u64>) {
    for row in rows.iter().copied().flatten() {
        if let Some(function) = functions.find(row.name) {
            redirect(base, &function, row, redirected);
        }
    }
}

/// Encloses the functions of libc, if they are not yet.
fn enclose_now() {
    let base = ENCLOSED_LATER.swap(0, Ordering::Relaxed);
    if base != 0 {
        // SAFETY: libc stays for as long as the process lives.
        let functions = unsafe { Functions::at(base) };
        let rows = ROWS.iter().copied().flatten();
        let mut redirected = rows.filter_map(|row| Some(functions.find(row.name)?.address)).collect();
        enclose_all(base, &functions, &mut redirected);
    }
}

/// Redirects a function. Some have several names.
fn redirect(base: u64, function: &Function, row: &Row, redirected: &mut Vec<u64>) {
    if redirected.contains(&function.address) {
        return;
    }
    redirected.push(function.address);
    let original = row.entry().and_then(|entry| {
        sites::exclusively(|sites| match row.equivalent {
            Some(equivalent) => sites.replace(base, function.address, entry).then(equivalent),
            None => sites.redirect(base, function.address, entry, Region::Common),
        })
    });
    keep(original, function, row.original);
}

/// Redirects the functions calls of which are to be enclosed.
fn enclose_all(base: u64, functions: &Functions, redirected: &mut Vec<u64>) {
    for (name, hook, original) in enclosed::hooks() {
        if let Some(function) = functions.find(name) {
            enclose(base, &function, hook, original, redirected);
        }
    }
}

/// Redirects a function calls of which are to be enclosed.
fn enclose(base: u64, function: &Function, hook: u64, original: &Original, redirected: &mut Vec<u64>) {
    if !redirected.contains(&function.address) {
        redirected.push(function.address);
        // A variadic one may be called by way of this.
        original.set(function.address);
        keep(
            sites::exclusively(|sites| sites.redirect(base, function.address, hook, Region::Common)),
            function,
            original,
        );
    }
}

fn keep(found: Option<u64>, function: &Function, original: &Original) {
    match found {
        Some(found) => original.set(found),
        None => crate::kernel::complain(&[b"--order sync cannot order calls of ", function.name]),
    }
}

/// A call begins. A futex call by which libc sleeps or wakes within one of its functions is not for us. True if it was one,
/// and was made.
#[inline]
pub fn pass(thread: &mut Thread, frame: &mut Frame) -> bool {
    if thread.borrows_memory {
        return false;
    }
    if !sections::are_on() {
        return wakes_nobody(frame);
    }
    thread.accesses.finish();
    frame.rax == libc::SYS_futex as u64 && pass_futex(thread, frame)
}

/// The child of a process whose threads ran in parallel gives up what was locked when it was forked. Whether others waited for that
/// then, whom libc would wake, is another thing in each replay; there are none in the child.
fn wakes_nobody(frame: &mut Frame) -> bool {
    let is_wake = frame.rax == libc::SYS_futex as u64
        && frame.rsi as i32 == libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    let wakes = is_wake && sections::were_on() && is_of_libc(frame.rip);
    if wakes {
        frame.rax = 0;
    }
    wakes
}

fn within(range: &[AtomicU64; 2], address: u64) -> bool {
    (range[0].load(Ordering::Relaxed)..range[1].load(Ordering::Relaxed)).contains(&address)
}

/// Whether libc makes the call for itself.
fn is_of_libc(rip: u64) -> bool {
    within(&CODE, rip) && !within(&SYSCALL, rip)
}

fn pass_futex(thread: &mut Thread, frame: &mut Frame) -> bool {
    if interrupt::is_call(frame.rip) {
        interrupt::deliver(thread, frame);
        return true;
    }
    let is_of_library = within(&openmp::CODE, frame.rip) || is_of_libc(frame.rip);
    if !thread.is_in_guard && !is_of_library {
        return false;
    }
    if !thread.trap.is_null() {
        kernel_side::block(thread.blocked);
    }
    let arguments = frame.arguments();
    let Some(futex) = syscalls::lookup(libc::SYS_futex as u64) else { return false };
    let behaviour = syscalls::behaviour(futex, &arguments);
    if !behaviour.blocks {
        // A call that wakes or unlocks is never interrupted, which libc relies on. Nor may a handler run: what gives has its
        // place already.
        // SAFETY: libc's own call.
        frame.rax = unsafe { raw::call(libc::SYS_futex, arguments) as u64 };
        return true;
    }
    let result = if let Some(result) = watch::alone::wait(thread, &arguments) {
        result
    } else if let Some(stream) = thread.held_by.checked_sub(1) {
        demand::while_held(stream, || generic::call(thread, libc::SYS_futex, arguments))
    } else if process::get().mode == Mode::Record {
        sleep(thread, arguments)
    } else if within(&openmp::CODE, frame.rip) {
        // For its team: any of it.
        demand::while_held(demand::ANYBODY, || generic::call(thread, libc::SYS_futex, arguments))
    } else {
        generic::call(thread, libc::SYS_futex, arguments)
    };
    let again = result == generic::INTERRUPTED && behaviour.never_interrupted;
    generic::finish(frame, result, again);
    let waits = process::get().mode == Mode::Record && thread.is_in_operation(frame.rsp);
    if waits && thread.register.signals_pending != 0 {
        if cancel::ends_wait(thread) {
            frame.rax = -i64::from(libc::ETIMEDOUT) as u64;
        } else {
            interrupt::deliver(thread, frame);
        }
    }
    true
}

/// Recording: sleeps, and notes for how long: the operation's event will say it.
fn sleep(thread: &mut Thread, arguments: [u64; 6]) -> i64 {
    let began = kernel::monotonic_time();
    let result = generic::call(thread, libc::SYS_futex, arguments);
    let slept = kernel::monotonic_time().saturating_sub(began);
    let (before, at) = thread.slept;
    let before = if at == thread.passes { before } else { 0 };
    thread.slept = (before.saturating_add(slept), thread.passes);
    result
}

/// The calling thread ends; `tell` lets those know that wait for it.
pub fn thread_ends(thread: &mut Thread, tell: impl FnOnce()) {
    if sections::is_chosen() {
        thread.is_ending = true;
        memory::give_back();
        stacks::thread_ends(tell);
    } else {
        tell();
    }
}

/// The process is about to be copied. It is whole then.
pub fn before_fork() {
    if sections::is_chosen() {
        memory::before_fork();
    }
}

/// It was, and this is the copy or the original.
pub fn after_fork() {
    if sections::is_chosen() {
        memory::after_fork();
    }
}

/// In the child: it has one thread.
pub fn begin_copy() {
    if sections::is_chosen() {
        enclosed::reset();
        accesses::reset();
    }
}

/// A call is made with this stack pointer: whether the program has left operations by a jump out of a signal handler.
pub fn look_for_jump(thread: &mut Thread, rsp: u64) {
    let began = thread.register.program_stack;
    let alternate =
        thread.signal_stack.base..thread.signal_stack.base.saturating_add(thread.signal_stack.size);
    if began != 0 && rsp > began && !thread.is_in_operation(rsp) && !alternate.contains(&rsp) {
        thread.leave_operations();
    }
}

/// Threads will run in parallel: what can be changed only while there is one is changed now.
pub fn before_parallel() {
    let code = CODE[0].load(Ordering::Relaxed);
    if code != 0 {
        cancel::install();
        sites::in_a_row(|| {
            enclose_now();
            sites::exclusively(|sites| sites.rewrite_all(code));
        });
    }
}
