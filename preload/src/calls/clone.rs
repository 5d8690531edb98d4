//! fork, vfork, clone: a new process or thread with a stream of its own.
//!
//! The parent reserves the child's slot and stream before the child exists, and logs the stream's number, so
//! that replay gives the same stream to the same child. A child that shares memory starts on a hook stack and
//! thread state of its own: its parent's frames, in a vfork, are still in use.

use super::{generic, refuse};
use crate::process::{self, Child};
use crate::signals::{SYNCHRONOUS, kernel_side};
use crate::thread::{self, Thread};
use crate::{divergence, kernel, log, order, playback, time_stamps, watch};
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::{entry, frame::Frame, raw};
use tracer_core::event::{Kind, Tag};
use tracer_core::session::{Mode, SLOTS, slot_state};
use tracer_core::syscalls::Syscall;

const VM: u64 = libc::CLONE_VM as u64;
const VFORK: u64 = libc::CLONE_VFORK as u64;
const THREAD: u64 = libc::CLONE_THREAD as u64;
const PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
const CHILD_SETTID: u64 = libc::CLONE_CHILD_SETTID as u64;
const CHILD_CLEARTID: u64 = libc::CLONE_CHILD_CLEARTID as u64;
const PIDFD: u64 = libc::CLONE_PIDFD as u64;
/// Beyond what clone(2) has, and so what we do for the kernel.
const CLEAR_SIGHAND: u64 = 1 << 32;
const INTO_CGROUP: u64 = 1 << 33;
/// What replay passes on: sharing and thread-local storage, no namespaces, no ids.
const KEPT_IN_REPLAY: u64 = VM
    | VFORK
    | THREAD
    | CLEAR_SIGHAND
    | (libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_SYSVSEM | libc::CLONE_SETTLS)
        as u64;

/// A clone, whichever call it came by.
#[derive(Clone, Copy)]
struct Request {
    flags: u64,
    stack: u64,
    parent_tid: u64,
    /// Where the descriptor of the child goes: for clone(2) the same place.
    pidfd: u64,
    child_tid: u64,
    /// The word to clear when the child ends, 0 for none.
    clear_tid: u64,
    tls: u64,
}

impl Request {
    fn from(number: i64, arguments: &[u64; 6]) -> Request {
        let plain =
            |flags| Request { flags, stack: 0, parent_tid: 0, pidfd: 0, child_tid: 0, clear_tid: 0, tls: 0 };
        match number {
            libc::SYS_fork => plain(libc::SIGCHLD as u64),
            libc::SYS_vfork => plain(VM | VFORK | libc::SIGCHLD as u64),
            _ => Request {
                flags: arguments[0],
                stack: arguments[1],
                parent_tid: arguments[2],
                pidfd: arguments[2],
                child_tid: arguments[3],
                clear_tid: if arguments[0] & CHILD_CLEARTID != 0 { arguments[3] } else { 0 },
                tls: arguments[4],
            },
        }
    }

    /// What clone3 is asked for, as clone is made; or the errno that the kernel would give.
    fn from_structure(address: u64, size: u64) -> Result<Request, Unable> {
        const FIELDS: usize = 11;
        /// CLONE_ARGS_SIZE_VER0, without `set_tid` and `cgroup`.
        const SMALLEST: u64 = 64;
        const PAGE: u64 = 4096;
        match size {
            ..SMALLEST => return Err(Unable::Wrong(libc::EINVAL)),
            PAGE.. => return Err(Unable::Wrong(libc::E2BIG)),
            _ => {}
        }
        let mut fields = [0u64; FIELDS];
        for offset in (0..size & !7).step_by(8) {
            let word = log::read_value::<u64>(address + offset).ok_or(Unable::Wrong(libc::EFAULT))?;
            match fields.get_mut(offset as usize / 8) {
                Some(field) => *field = word,
                // A later kernel's field, in use.
                None if word != 0 => return Err(Unable::Wrong(libc::E2BIG)),
                None => {}
            }
        }
        let [flags, pidfd, child_tid, parent_tid, signal, stack, stack_size, tls, _set_tid, ids, _cgroup] =
            fields;
        if ids != 0 || flags & INTO_CGROUP != 0 {
            return Err(Unable::Unsupported);
        }
        let sighand = libc::CLONE_SIGHAND as u64;
        let signal_ends_nothing = THREAD | libc::CLONE_PARENT as u64;
        let wrong = flags & !(CLEAR_SIGHAND | !0xff & u64::from(u32::MAX)) != 0
            || flags & libc::CLONE_DETACHED as u64 != 0
            || flags & (CLEAR_SIGHAND | sighand) == CLEAR_SIGHAND | sighand
            || signal > 64
            || signal != 0 && flags & signal_ends_nothing != 0
            || (stack == 0) != (stack_size == 0);
        if wrong {
            return Err(Unable::Wrong(libc::EINVAL));
        }
        Ok(Request {
            flags: flags | signal,
            stack: stack.wrapping_add(stack_size),
            parent_tid,
            pidfd,
            child_tid,
            clear_tid: if flags & CHILD_CLEARTID != 0 { child_tid } else { 0 },
            tls,
        })
    }

    /// clone(2) has one place for the id of the child and its descriptor: if both are wanted in different ones, the
    /// id is left to us. True then.
    fn splits(&self) -> bool {
        self.flags & PIDFD != 0 && self.flags & PARENT_SETTID != 0 && self.pidfd != self.parent_tid
    }

    /// The kernel's flags, and the place that it writes to.
    fn for_kernel(&self) -> (u64, u64) {
        let unknown = CLEAR_SIGHAND | if self.splits() { PARENT_SETTID } else { 0 };
        let place = if self.flags & PIDFD != 0 { self.pidfd } else { self.parent_tid };
        (self.flags & !unknown, place)
    }
}

/// Why a clone3 is not made.
enum Unable {
    /// The kernel would not either.
    Wrong(i32),
    /// It chooses ids or a control group.
    Unsupported,
}

/// clone3(2).
pub fn clone3(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    match Request::from_structure(arguments[0], arguments[1]) {
        Ok(request) => begin(thread, frame, syscall, &arguments, request),
        Err(Unable::Wrong(error)) => super::decided(thread, frame, syscall, |_, _| -error as i64),
        Err(Unable::Unsupported) => refuse(thread, frame, syscall, libc::ENOSYS, true),
    }
}

/// clone(2), fork(2), vfork(2).
pub fn clone(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let request = Request::from(syscall.number as i64, &arguments);
    begin(thread, frame, syscall, &arguments, request);
}

fn begin(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    arguments: &[u64; 6],
    request: Request,
) {
    // Before the call, in the log too: it may wait for others, which is an event of its own.
    if request.flags & VM == 0 {
        order::objects::before_fork();
    }
    match process::get().mode {
        Mode::Record => record(thread, frame, syscall, arguments, request),
        Mode::Replay => replay(thread, frame, syscall, arguments, request),
    }
}

/// There is no child, or nobody knows of it yet.
fn forked(request: &Request) {
    if request.flags & VM == 0 {
        order::objects::after_fork();
    }
}

fn record(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    arguments: &[u64; 6],
    request: Request,
) {
    let control = process::control();
    let stream = control.next_stream.fetch_add(1, Ordering::Relaxed);
    let Some(slot) = reserve_slot(stream) else {
        forked(&request);
        kernel::complain(&[b"more than 4096 threads and processes at once: fork refused with EAGAIN"]);
        return refuse(thread, frame, syscall, libc::EAGAIN, false);
    };
    order::creates(thread, slot);
    if request.flags & THREAD == 0 {
        control.live_processes.fetch_add(1, Ordering::Relaxed);
        super::memory::before_process(thread);
    }
    let result = start(thread, frame, request, slot, 0);
    if result == 0 {
        return;
    }
    if result < 0 {
        control.slots[slot].state.store(slot_state::FREE, Ordering::Release);
        if request.flags & THREAD == 0 {
            control.live_processes.fetch_sub(1, Ordering::Relaxed);
        }
    } else {
        thread.progress.created += 1;
        if request.flags & THREAD != 0 {
            order::thread_was_created(slot);
        }
        if request.splits() {
            log::write_program(request.parent_tid, &(result as u32).to_le_bytes());
        }
        // First what was asked for, which says what kind of stream it is.
        log::push_inputs(thread, syscall, arguments, result);
        thread.items.push(Tag::Stream, 0, stream as u64, core::ptr::null(), 0);
        if request.flags & PIDFD != 0 {
            let address = request.pidfd;
            thread.items.push(Tag::Output, 0, address, address as *const u8, size_of::<i32>());
        }
    }
    log::call(thread, Kind::Call, syscall, arguments, result, 0);
    frame.rax = result as u64;
}

fn replay(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    arguments: &[u64; 6],
    mut request: Request,
) {
    let outcome = playback::outcome(thread, Kind::Call, syscall, arguments);
    let mut stream = None;
    // The kernel writes to the parent's memory after the child of a fork has got its copy.
    let place = |flag: u64, address: u64| if request.flags & flag != 0 { address } else { 0 };
    let places = [place(PIDFD, request.pidfd), place(PARENT_SETTID, request.parent_tid)];
    let read = |address: u64| if address != 0 { log::read_value::<u32>(address) } else { None };
    let words_before = places.map(read);
    playback::items(thread, syscall, outcome.items, |thread, item| {
        if item.tag == Tag::Stream as u8 {
            stream = Some(item.value as u32);
        } else {
            generic::ignore_item(thread, item);
        }
    });
    frame.rax = outcome.result as u64;
    let Some(stream) = stream else { return forked(&request) };
    let recorded = outcome.result as u32;
    let words = [read(places[0]), Some(recorded)];
    let set_words = |words: [Option<u32>; 2]| {
        for (place, word) in places.into_iter().zip(words) {
            if place != 0
                && let Some(word) = word
            {
                log::write_program(place, &word.to_le_bytes());
            }
        }
    };
    set_words(if request.flags & VM != 0 { words } else { words_before });
    process::control().next_stream.fetch_add(1, Ordering::Relaxed);
    let Some(slot) = reserve_slot(stream) else {
        divergence::impossible(thread, "find a free slot for", b"a new thread or process", libc::EAGAIN)
    };
    thread::wake_companion();
    let sets_child_tid = request.flags & CHILD_SETTID != 0;
    let signal = if request.flags & THREAD != 0 { 0 } else { libc::SIGCHLD as u64 };
    if request.flags & THREAD != 0 {
        watch::creates(thread, stream, request.clear_tid);
    }
    request.flags = request.flags & KEPT_IN_REPLAY | signal;
    request.parent_tid = 0;
    request.pidfd = 0;
    if !sets_child_tid {
        request.child_tid = 0;
    }
    let result = start(thread, frame, request, slot, recorded);
    if result == 0 {
        return;
    }
    if result < 0 {
        divergence::impossible(thread, "create", b"a thread or process", -result as i32);
    }
    if request.flags & VM == 0 {
        // A thread may have ended by now, and its id's word been cleared.
        set_words(words);
    }
    if request.flags & THREAD == 0 {
        process::get().children.push(Child { recorded, real: result as u32, slot });
    }
    frame.rax = recorded as u64;
}

/// Takes a free slot and names its stream.
fn reserve_slot(stream: u32) -> Option<usize> {
    let slots = &process::control().slots;
    (0..SLOTS).find(|&index| {
        let slot = &slots[index];
        let free = slot.state.load(Ordering::Relaxed) == slot_state::FREE
            && slot
                .state
                .compare_exchange(slot_state::FREE, slot_state::TAKING, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        if free {
            slot.stream.store(stream, Ordering::Relaxed);
            slot.process.store(0, Ordering::Relaxed);
            slot.thread.store(0, Ordering::Relaxed);
            slot.at_end.store(0, Ordering::Relaxed);
            slot.ending.store(0, Ordering::Relaxed);
            slot.position.store(0, Ordering::Relaxed);
            slot.ran.store(0, Ordering::Relaxed);
            slot.state.store(slot_state::RESERVED, Ordering::Release);
        }
        free
    })
}

/// Creates the child with everything blocked: a signal must not find the child before it has its own state.
/// The masks that both go on with are set when they leave.
fn start(thread: &mut Thread, frame: &mut Frame, request: Request, slot: usize, recorded: u32) -> i64 {
    let mask = kernel_side::current_mask();
    kernel_side::set_mask(!SYNCHRONOUS);
    let result = start_blocked(thread, frame, request, slot, recorded);
    kernel_side::set_mask(mask);
    result
}

/// In the child of a fork this returns 0; a child that shares memory begins elsewhere
/// ([`imitate_child_start`]).
fn start_blocked(
    thread: &mut Thread,
    frame: &mut Frame,
    request: Request,
    slot: usize,
    recorded: u32,
) -> i64 {
    if request.flags & VM != 0 {
        return start_sharing(thread, frame, request, slot, recorded);
    }
    let (flags, place) = request.for_kernel();
    let arguments = [flags, 0, place, request.child_tid, request.tls, 0];
    // SAFETY: a plain fork: the child has a copy of everything, this stack included.
    let result = unsafe { raw::call(libc::SYS_clone, arguments) };
    forked(&request);
    if result == 0 {
        order::objects::begin_copy();
        frame.rax = 0;
        if request.stack != 0 {
            frame.rsp = request.stack;
        }
        become_process(thread, slot, recorded);
        if request.flags & CLEAR_SIGHAND != 0 {
            clear_handlers();
        }
        if order::shares() {
            order::begin(thread);
            super::memory::inherit();
        }
        if recorded != 0 && request.child_tid != 0 {
            log::write_program(request.child_tid, &recorded.to_le_bytes());
        }
    }
    result
}

/// The child of a fork takes up its own stream.
fn become_process(thread: &mut Thread, slot: usize, recorded: u32) {
    let (real, real_thread) = kernel::real_ids();
    let process = process::get();
    process.real_id = real;
    process.id = if recorded != 0 { recorded } else { real };
    process.children.clear();
    process.threads = 1;
    process.free_areas.clear();
    thread::forget_others(thread.area, process.next_area);
    thread.real = real_thread;
    thread.id = process.id;
    thread.robust_list = 0;
    thread.pending.clear();
    thread.register.signals_pending = 0;
    // SAFETY: the parent's ring, mapped here too, is not used by this process.
    let attached = unsafe { thread::attach_ring(thread, thread.area, slot) };
    if attached.is_err() {
        process::end_recording(b"cannot map the ring of a child");
    }
    order::scatter();
    order::reset(thread);
    announce(slot, real, real_thread);
    crate::debugger::begin_process(thread);
    arm();
}

/// Makes the slot ours.
fn announce(slot: usize, process: u32, thread: u32) {
    let slot = &process::control().slots[slot];
    slot.process.store(process, Ordering::Relaxed);
    slot.thread.store(thread, Ordering::Relaxed);
    // Another thread may have ended the process, or be executing a program, since this one was created.
    let (from, to) = (slot_state::RESERVED, slot_state::LIVE);
    let _ = slot.state.compare_exchange(from, to, Ordering::Release, Ordering::Relaxed);
}

/// Syscall User Dispatch does not survive clone.
fn arm() {
    if kmod_shim::dispatch::arm().is_err() {
        process::end_recording(b"Syscall User Dispatch cannot be armed in a child");
    }
}

/// CLONE_CLEAR_SIGHAND: what is not ignored is as at first.
fn clear_handlers() {
    let process = process::get();
    for signal in 1..=64 {
        let action = &mut process.actions[signal as usize];
        if action.handler != libc::SIG_IGN as u64 && action.handler != libc::SIG_DFL as u64 {
            *action = crate::signals::Action::DEFAULT;
            if process.mode == Mode::Record {
                kernel_side::follow(signal, action);
            }
        }
    }
}

/// What a vfork child changes in memory that it shares, but its parent's kernel state is not changed by.
struct Snapshot {
    actions: [crate::signals::Action; 65],
    outputs: crate::output::Outputs,
    id: u32,
    real_id: u32,
}

fn start_sharing(
    thread: &mut Thread,
    frame: &mut Frame,
    request: Request,
    slot: usize,
    recorded: u32,
) -> i64 {
    let process = process::get();
    let area = free_area(process);
    let child = match thread::prepare_area(area) {
        Ok(child) => child,
        Err(libc::EEXIST) => thread::state_of(area),
        Err(error) => return -error as i64,
    };
    // SAFETY: the area is not in use by any thread, and its parts are mapped.
    let child_frame = unsafe {
        if let Err(error) = thread::attach_ring(child, area, slot) {
            return -error as i64;
        }
        thread::initialise(child, area, recorded);
        (*child).blocked = thread.blocked;
        if request.flags & THREAD == 0 {
            (*child).signal_stack = thread.signal_stack;
            (*child).borrows_memory = true;
            (*child).lender = if thread.lender.is_null() { thread } else { thread.lender };
            (*child).clears_handlers = request.flags & CLEAR_SIGHAND != 0;
        }
        (*child).clear_tid = request.clear_tid;
        let place = thread::frame_of(area);
        place.write(frame.clone());
        (*place).rax = 0;
        if request.stack != 0 {
            (*place).rsp = request.stack;
        }
        place
    };
    if recorded != 0 && request.child_tid != 0 {
        log::write_program(request.child_tid, &recorded.to_le_bytes());
    }
    let (flags, place) = request.for_kernel();
    let flags = flags & !CHILD_CLEARTID;
    let snapshot = Snapshot {
        actions: process.actions,
        outputs: process.outputs.clone(),
        id: process.id,
        real_id: process.real_id,
    };
    if request.flags & THREAD != 0 {
        process.threads += 1;
        order::become_parallel(thread);
        if process.threads == 2 && !order::shares() && !order::is_parallel() {
            thread.holds_tenure = true;
            if process.mode == Mode::Replay {
                order::gather();
            }
        }
    }
    // The child finds its state by what is below its frame's end; it cannot get it in a register, since all
    // belong to the program.
    // SAFETY: the child's frame is on a stack of its own.
    let result = unsafe {
        raw::clone_sharing_memory(flags, child_frame as u64, place, request.child_tid, request.tls)
    };
    if request.flags & THREAD != 0 && result < 0 {
        process.threads -= 1;
    }
    if request.flags & VFORK != 0 || result < 0 {
        // The child has left our memory.
        let process = process::get();
        process.actions = snapshot.actions;
        process.outputs = snapshot.outputs;
        process.id = snapshot.id;
        process.real_id = snapshot.real_id;
        process.files.forget_range(0, usize::MAX);
        process.free_areas.push(area);
        time_stamps::follow(thread);
    }
    result
}

/// The area that has been free for longest, once its last thread has left its stack for good; else a new one.
///
/// Which one it is must not depend on when the kernel has done with a thread: in sync order the stack on which libc's
/// functions run in an operation is in the area, and they pass addresses on it to system calls.
fn free_area(process: &mut crate::process::Process) -> usize {
    if process.free_areas.is_empty() {
        process.next_area += 1;
        return process.next_area - 1;
    }
    let area = process.free_areas.remove(0);
    // SAFETY: the area was prepared when it was first used, and stays mapped.
    let alive = unsafe { &(*thread::state_of(area)).alive };
    // All that is left to it is exit(2), which waits for nobody.
    while alive.load(Ordering::Acquire) != 0 {
        kernel::yield_processor();
    }
    area
}

/// Where a child that shares memory begins, on its own hook stack, with gs still its parent's.
///
/// # Safety
/// Called by the clone assembly only, with the frame prepared for the child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn imitate_child_start(frame: *mut Frame) {
    let child = thread::state_of(thread::area_of_frame(frame));
    // SAFETY: the state was prepared by the parent and belongs to this thread from here on.
    let thread = unsafe {
        entry::set_thread_register(child.cast());
        &mut *child
    };
    let (real, real_thread) = kernel::real_ids();
    thread.real = real_thread;
    if thread.id == 0 {
        thread.id = real_thread;
    }
    if thread.borrows_memory {
        let process = process::get();
        process.real_id = real;
        process.id = thread.id;
    }
    if thread.clears_handlers {
        clear_handlers();
    }
    kernel_side::use_signal_stack(thread::signal_stack_of(thread.area));
    kernel_side::block(thread.blocked);
    announce(thread.slot, real, real_thread);
    time_stamps::begin_thread(thread);
    arm();
    if thread.borrows_memory {
        return;
    }
    thread.alive.store(real_thread, Ordering::Relaxed);
    // SAFETY: the word is in the thread's area, which stays mapped.
    unsafe { raw::call(libc::SYS_set_tid_address, [thread.alive.as_ptr() as u64, 0, 0, 0, 0, 0]) };
    watch::alone::appear(thread);
    crate::debugger::begin_thread(thread);
    order::begin(thread);
    // As after any call: the recorded thread may have been interrupted, or stopped, before its first one.
    // SAFETY: the frame is this thread's.
    crate::signals::deliver::at_exit(thread, unsafe { &mut *frame });
    crate::stop::look(thread);
    watch::accesses::before_program(thread);
}
