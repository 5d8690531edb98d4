//! A replay that tells who accesses which memory: a page at a time, or each access.
//!
//! It takes two replays, which are the same execution. The first one tells which pages more than one thread uses, one of them
//! to write, while there is more than one: what is open to a thread is closed when another one goes on. In the second one these
//! pages are always closed; an access to one is told, and made with the page open, in a single step of the processor.
//! Only one thread is in the program's code at a time, in sync order by [`super::alone`], so nobody else gets at an open page.

use super::closed::{Closed, page_of};
use crate::thread::Thread;
use crate::{log, process, start};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::{
    frame::Frame, raw, signal_frame::Access as Wanted, signal_frame::MachineContext,
};
use tracer_core::session::watch::{Access, PAGE_LIST, Record, STACK_LIST, accesses, what};

/// The processor's flag for single steps.
const TRAP: u64 = 1 << 8;
/// How many accesses one thread can make to a page, with nobody else in between, before it is left open to it until it comes
/// to a call: its own stack may be there. Between two calls, and at all.
const BUSY: [u32; 2] = [4096, 1 << 20];

/// Who has used a page.
#[derive(Clone, Copy)]
struct Users {
    /// The first one's stream.
    first: u32,
    /// There are others.
    several: bool,
    /// One of them has written.
    written: bool,
}

/// The accesses to a page that one thread has made, with nobody else in between.
#[derive(Clone, Copy, Default)]
struct Row {
    stream: u32,
    count: u32,
    /// Since the thread came from its last call, as [`State::rounds`] counts these.
    round: u64,
    count_of_round: u32,
    /// Some access to the page was atomic: those order threads, and none must be missed.
    is_atomic: bool,
}

impl Row {
    /// One more. Whether they are too many.
    fn add(&mut self, stream: u32, round: u64, is_atomic: bool) -> bool {
        self.is_atomic |= is_atomic;
        if self.stream != stream {
            *self = Row { stream, is_atomic: self.is_atomic, ..Row::default() };
        }
        if self.round != round {
            (self.round, self.count_of_round) = (round, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count_of_round = self.count_of_round.saturating_add(1);
        !self.is_atomic && (self.count_of_round > BUSY[0] || self.count > BUSY[1])
    }
}

struct State {
    closed: Closed,
    /// The pages whose accesses are told, in ascending order.
    listed: Vec<u64>,
    users: BTreeMap<u64, Users>,
    /// Who accesses each of these pages.
    rows: BTreeMap<u64, Row>,
    /// How often a thread has come from a call.
    rounds: u64,
    /// The accesses whose stacks are told, in ascending order.
    stacks: Vec<[u64; 2]>,
    /// The lists were read.
    has_begun: bool,
}

struct Holder(UnsafeCell<State>);

// SAFETY: used by the thread that has the right to run, which is only one in serial order, and in sync order where accesses are
// told (`super::alone`).
unsafe impl Sync for Holder {}

static STATE: Holder = Holder(UnsafeCell::new(State {
    closed: Closed::new(),
    listed: Vec::new(),
    users: BTreeMap::new(),
    rows: BTreeMap::new(),
    rounds: 0,
    stacks: Vec::new(),
    has_begun: false,
}));

#[allow(clippy::mut_from_ref)]
fn state() -> &'static mut State {
    // SAFETY: see Holder. A fault in our own code on a closed page uses it, too: nobody keeps a reference across a use
    // of the program's memory.
    unsafe { &mut *STATE.0.get() }
}

/// What is told of accesses: one of [`accesses`].
#[inline]
fn wanted() -> u32 {
    let control = process::control();
    if control.is_watched() { control.watch.accesses.load(Ordering::Relaxed) } else { accesses::NONE }
}

/// Whether accesses are told.
#[inline]
pub fn are_told() -> bool {
    wanted() != accesses::NONE
}

/// Whether the thread makes a single step, with memory open.
pub fn is_in_step(thread: &Thread) -> bool {
    thread.watch.step.is_some() || thread.watch.returns
}

/// Before a system call is made, which changes what is mapped or has the kernel use the program's memory, and before
/// the memory is looked at as a whole.
#[inline]
pub fn open_all() {
    if are_told() {
        state().closed.open();
    }
}

/// Does `change` to what is mapped, which no system call of the program's asks for.
pub fn while_mappings_change<R>(change: impl FnOnce() -> R) -> R {
    if !are_told() {
        return change();
    }
    state().closed.open();
    let result = change();
    state().closed.forget();
    result
}

/// Behind the system call with this number.
pub fn called(thread: &mut Thread, frame: &Frame, number: u64) {
    let result = frame.rax;
    // A call leaves its arguments where they are.
    let [first, second, ..] = frame.arguments();
    let gone = match number as i64 {
        libc::SYS_mmap => Some(result),
        libc::SYS_munmap | libc::SYS_mremap => Some(first),
        libc::SYS_mprotect | libc::SYS_brk | libc::SYS_shmat | libc::SYS_shmdt => None,
        _ => return,
    };
    state().closed.forget();
    if let Some(address) = gone
        && result as i64 >= 0
    {
        forgets(thread, address, second);
    }
}

/// What lies there is given back: whoever gets the memory next has nothing to do with those that used it.
pub fn forgets(thread: &mut Thread, address: u64, length: u64) {
    if are_told() && process::get().threads > 1 {
        super::tell(
            thread,
            Record { what: what::FORGETS, object: address, mutex: length, ..Record::default() },
        );
    }
}

/// The thread is about to go on in the program's code. Not to be called on the program's stack.
#[inline]
pub fn before_program(thread: &Thread) {
    if are_told() {
        state().rounds += 1;
        close(thread);
    }
}

/// A signal was handled; the thread goes on from `machine`, in the program's code or in ours.
#[inline]
pub fn after_signal(thread: &Thread, machine: &MachineContext) {
    if are_told() && !start::is_our_code(machine.rip) {
        before_program(thread);
    }
}

/// A handler has returned: the kernel will read the extended state from the frame in the program's memory.
pub fn returns(thread: &mut Thread) {
    if are_told() {
        state().closed.open();
        thread.watch.returns = true;
    }
}

/// The last step: the kernel goes on from `machine`, and memory is open for one instruction more.
pub fn before_return(thread: &mut Thread, machine: &mut MachineContext) {
    if core::mem::take(&mut thread.watch.returns) && process::get().threads > 1 {
        thread.watch.step = Some(0);
        machine.rflags |= TRAP;
    }
}

/// The instruction that the thread was to make in a single step is a system call.
pub fn end_step(thread: &mut Thread, machine: &mut MachineContext) {
    if thread.watch.step.take().is_some() {
        machine.rflags &= !TRAP;
    }
}

#[cold]
fn close(thread: &Thread) {
    let state = state();
    if is_in_step(thread) {
        return;
    }
    // Alone, it races with nobody. A child of vfork is alone, too: its parent waits.
    if process::get().threads <= 1 || thread.borrows_memory {
        state.closed.open();
        return;
    }
    let list = match wanted() {
        accesses::ALL => {
            if !core::mem::replace(&mut state.has_begun, true) {
                let watch = &process::control().watch;
                state.listed = read_list(PAGE_LIST, watch.pages.load(Ordering::Relaxed));
                state.stacks = read_list(STACK_LIST, watch.stacks.load(Ordering::Relaxed));
            }
            Some(&state.listed[..])
        }
        _ => None,
    };
    state.closed.close(list);
}

/// Reads a list of integers, or of arrays of them, that lies there in the session's memory.
fn read_list<T: Copy + Default>(offset: usize, count: u32) -> Vec<T> {
    let mut list = alloc::vec![T::default(); count as usize];
    let (target, length) = (list.as_mut_ptr() as u64, size_of_val(&list[..]) as u64);
    let arguments = [process::get().memory as u64, target, length, offset as u64, 0, 0];
    // SAFETY: the vector has so many bytes, and any bytes are integers.
    let read = unsafe { raw::call(libc::SYS_pread64, arguments) };
    list.truncate(read.max(0) as usize / size_of::<T>());
    list
}

/// A fault or a trap has come. Whether it was for this, and the thread can go on.
pub fn handle(thread: &mut Thread, signal: i32, machine: &mut MachineContext) -> bool {
    const PAGE_FAULT: u64 = 14;
    if !are_told() {
        return false;
    }
    let state = state();
    if signal == libc::SIGTRAP && thread.watch.step.is_some() {
        // A string instruction is made once for each step.
        if thread.watch.step != Some(machine.rip) {
            thread.watch.step = None;
            machine.rflags &= !TRAP;
            close(thread);
        }
        return true;
    }
    let is_ours = signal == libc::SIGSEGV && machine.trap == PAGE_FAULT;
    let access = machine.access();
    if is_ours && state.closed.contains(machine.cr2) {
        if start::is_our_code(machine.rip) || thread.watch.step.is_some() {
            state.closed.open_page(machine.cr2, Wanted::Write);
        } else if wanted() == accesses::ALL && thread.is_in_operation(machine.rsp) {
            // libc's own in an operation of sync order, which is told itself. How many there are depends on who waits.
            state.closed.open_page(machine.cr2, Wanted::Write);
        } else if wanted() == accesses::ALL {
            tell(thread, machine, access);
        } else {
            note(thread, machine.cr2, access);
        }
        return true;
    }
    if is_ours && access == Wanted::Write && state.closed.was_opened(machine.cr2) {
        note(thread, machine.cr2, access);
        return true;
    }
    // The step has come to a fault of the program's.
    end_step(thread, machine);
    false
}

/// Tells an access, and lets it be made.
fn tell(thread: &mut Thread, machine: &mut MachineContext, wanted: Wanted) {
    let access = Access {
        address: machine.cr2,
        instruction: super::in_program(machine.rip),
        code: code(machine.rip),
        stack: machine.rsp,
        top: log::read_value(machine.rsp).unwrap_or(0),
        writes: wanted == Wanted::Write,
    };
    let number = [thread.stream.into(), thread.watch.accesses];
    thread.watch.accesses += 1;
    if state().stacks.binary_search(&number).is_ok() {
        const PARTS: u16 = 400;
        super::tell_stack(thread, [machine.rip, machine.rsp, machine.rbp], PARTS);
    }
    let record = access.to_record(thread.stream, thread.events);
    super::put(thread, record);
    let state = state();
    let row = state.rows.entry(page_of(machine.cr2)).or_default();
    let is_busy = row.add(thread.stream, state.rounds, access.is_atomic());
    state.closed.open_page(machine.cr2, Wanted::Write);
    // Who makes steps for another reason looks after them.
    if !is_busy && machine.rflags & TRAP == 0 {
        thread.watch.step = Some(machine.rip);
        machine.rflags |= TRAP;
    }
}

fn code(address: u64) -> [u8; 16] {
    let whole = log::read_value(address);
    whole.unwrap_or_else(|| {
        // The next page may not be there.
        let mut bytes = [0; 16];
        let in_page = (super::closed::PAGE - address % super::closed::PAGE).min(16);
        for at in 0..in_page {
            bytes[at as usize] = log::read_value(address + at).unwrap_or(0);
        }
        bytes
    })
}

/// Notes that the thread uses a page, and opens it to it.
fn note(thread: &mut Thread, address: u64, access: Wanted) {
    let (state, page) = (state(), page_of(address));
    state.closed.open_page(address, access);
    let new = Users { first: thread.stream, several: false, written: false };
    let users = state.users.entry(page).or_insert(new);
    let before = users.several && users.written;
    users.several |= users.first != thread.stream;
    users.written |= access == Wanted::Write;
    if !before && users.several && users.written {
        super::tell(thread, Record { what: what::SHARES, object: page, ..Record::default() });
    }
}
