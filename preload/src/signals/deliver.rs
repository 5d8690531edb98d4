//! Running the program's handlers at safepoints, and coming back from them.

use super::{Action, Information, UNBLOCKABLE, bit, default_is_harmless, fault::flags, kernel_side};
use crate::thread::{self, Thread};
use crate::{debugger, divergence, log, order, playback, process, processor, stop, watch};
use core::sync::atomic::{AtomicU32, Ordering, compiler_fence};
use kmod_shim::arch::native::{
    extended_state,
    frame::Frame,
    raw,
    signal_frame::{CONTEXT_FLAGS, MachineContext, SignalFrame, SignalStack, USER_SEGMENTS, UserContext},
};
use tracer_core::event::{Header, ItemHeader, Kind, Tag};
use tracer_core::session::Mode;

/// Direction, trap and resume flags are clear when a handler begins.
pub const CLEARED_FLAGS: u64 = 0x400 | 0x100 | 0x10000;
/// Bytes below the stack pointer that belong to the function that runs.
const RED_ZONE: u64 = 128;
/// Going back by this makes the call again: the instruction itself always stays in place.
pub const SYSCALL_LENGTH: u64 = 2;
const SS_ONSTACK: i32 = 1;
const SS_DISABLE: i32 = 2;

/// Clears the registers of a handler that interrupts an operation. They are libc's or ours, whoever waits in which mode, and
/// the handler's calls would show them.
macro_rules! clear_hidden {
    ($registers:expr) => {
        for register in [
            &mut $registers.rbx,
            &mut $registers.rbp,
            &mut $registers.r8,
            &mut $registers.r9,
            &mut $registers.r10,
            &mut $registers.r12,
            &mut $registers.r13,
            &mut $registers.r14,
            &mut $registers.r15,
        ] {
            *register = 0;
        }
    };
}

/// The state that a handler interrupts.
pub struct State<'a> {
    /// Registers, and where a frame of the kernel has the extended state.
    pub machine: &'a MachineContext,
    /// xmm registers saved by the hook's entry; the rest of the extended state is in the processor. `None`:
    /// all of it is where `machine.extended_state` says.
    pub vectors: Option<&'a [u128; 16]>,
}

/// Where a handler begins.
pub struct Entry {
    /// The handler.
    pub rip: u64,
    /// Its stack.
    pub rsp: u64,
    /// Address of its `siginfo_t`.
    pub information: u64,
    /// Address of its `ucontext_t`.
    pub context: u64,
}

/// Delivers what is due when a call has been made: put-aside signals while recording, logged ones in replay.
/// The handler's frame lets the program continue as `frame` says.
#[inline]
pub fn at_exit(thread: &mut Thread, frame: &mut Frame) {
    match process::get().mode {
        Mode::Record => {
            // Before the look: who comes later sees to it that there is another one.
            thread.will_look.store(false, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            if thread.register.signals_pending != 0 {
                pending(thread, frame, 0);
            }
        }
        Mode::Replay => {
            logged(thread, frame, 0);
        }
    }
}

/// Replay: the thread whose last computation an alarm bounds, by its real id.
static BOUNDED: AtomicU32 = AtomicU32::new(0);

/// Replay: if all that is left is a deadly signal that found the recorded program outside any call, the program
/// may be in a loop that never makes another. A timer ends it then.
pub fn bound_what_is_left(thread: &mut Thread) {
    const SECONDS: u64 = 2;
    if playback::peek(thread).is_some_and(|next| ends_computation(&next)) {
        BOUNDED.store(thread.real, Ordering::Relaxed);
        kernel_side::catch(libc::SIGALRM, 0);
        // SAFETY: alarm touches no memory; the program's own timers do not run in replay.
        unsafe { raw::call(libc::SYS_alarm, [SECONDS, 0, 0, 0, 0, 0]) };
    }
}

fn ends_computation(next: &Header) -> bool {
    is_signal(next, flags::AT_ENTRY) && next.flags & flags::FATAL != 0
}

/// Replay: that timer has expired, and told any thread. The one that it is for dies of the recorded signal, unless it has come to
/// its next call after all.
pub fn end_what_is_left(thread: &mut Thread, rip: u64) {
    let bounded = BOUNDED.load(Ordering::Relaxed);
    if bounded != thread.real {
        let process = process::get().real_id;
        let arguments = [u64::from(process), u64::from(bounded), libc::SIGALRM as u64, 0, 0, 0];
        // SAFETY: tgkill touches no memory.
        unsafe { raw::call(libc::SYS_tgkill, arguments) };
        return;
    }
    if let Some(header) = thread.next.take_if(|next| ends_computation(next)) {
        logged_information(thread, &header);
        die(thread, rip, header.number as i32);
    }
}

/// The process ends by a signal that found it at `rip`.
fn die(thread: &mut Thread, rip: u64, signal: i32) -> ! {
    if process::get().mode == Mode::Replay {
        if order::is_parallel() {
            order::sections::pass(thread);
        }
        debugger::stop_before_end(thread, rip);
    }
    crate::calls::process::finish(thread);
    process::die_by_signal(signal)
}

/// Delivers what is due before a call is made. True if a handler will run: the call is then not made now, but
/// again from the beginning when the handler returns.
#[inline]
pub fn at_entry(thread: &mut Thread, frame: &mut Frame) -> bool {
    let due = match process::get().mode {
        Mode::Record => thread.register.signals_pending != 0 && thread.pending.any(thread.blocked),
        Mode::Replay => playback::peek(thread)
            .is_some_and(|next| is_signal(&next, flags::AT_ENTRY) || is_computing(&next)),
    };
    if !due {
        return false;
    }
    let call = (frame.rax, frame.rip);
    frame.rip -= SYSCALL_LENGTH;
    let before = frame.rsp;
    match process::get().mode {
        Mode::Record => pending(thread, frame, flags::AT_ENTRY),
        Mode::Replay => logged_before(thread, frame, flags::AT_ENTRY),
    }
    if frame.rsp == before {
        // It was ignored after all.
        (frame.rax, frame.rip) = call;
        return false;
    }
    true
}

/// Delivers what is due to a thread that waits for others in an operation on an object.
pub fn in_operation(thread: &mut Thread, frame: &mut Frame) {
    match process::get().mode {
        Mode::Record => pending(thread, frame, flags::IN_OPERATION),
        Mode::Replay => logged_before(thread, frame, flags::IN_OPERATION),
    }
}

fn is_signal(header: &Header, place: u8) -> bool {
    header.kind == Kind::Signal as u8
        && header.flags & (flags::FAULT | flags::STOP) == 0
        && header.flags & (flags::AT_ENTRY | flags::AT_RETURN | flags::IN_OPERATION | flags::COMPUTING)
            == place
}

/// Replay: whether what comes next is a signal that came at such a place, the one with this number.
pub fn comes_at(thread: &mut Thread, place: u8, number: u64) -> bool {
    playback::peek(thread).is_some_and(|next| is_signal(&next, place))
        && playback::preview::<[u8; 16]>(thread)
            .is_some_and(|bytes| ItemHeader::from_bytes(bytes).value == number)
}

/// Whether this is a signal that came while the thread computed.
pub fn is_computing(header: &Header) -> bool {
    is_signal(header, flags::COMPUTING)
}

/// Whether this is a signal that interrupted the handler of the one before, at its first instruction.
pub fn is_plain(header: &Header) -> bool {
    is_signal(header, 0)
}

/// Recording: delivers all that was put aside and is not blocked.
#[cold]
fn pending(thread: &mut Thread, frame: &mut Frame, mut place: u8) {
    stop::cancel();
    stop::spot::cancel(thread);
    while let Some((signal, information)) = thread.pending.take(thread.blocked) {
        thread.items.clear();
        let action = process::get().actions[signal as usize];
        if action.handler == libc::SIG_IGN as u64 || (!action.is_function() && default_is_harmless(signal)) {
            continue;
        }
        let fatal = if action.is_function() { 0 } else { flags::FATAL };
        let number = if place == flags::IN_OPERATION { thread.passes } else { thread.returns };
        thread.items.push_copy(Tag::Output, 0, number, &information);
        log::items_only(thread, Kind::Signal, place | fatal, signal as u16);
        pass_section(thread, place);
        run_handler(thread, frame, signal, &information, fatal != 0);
        // What comes now interrupts the handler before its first instruction.
        place = 0;
    }
    thread.register.signals_pending = 0;
    kernel_side::block(thread.blocked);
    // Unblocking may have let the next one in at once.
    if thread.register.signals_pending != 0 && thread.pending.any(thread.blocked) {
        pending(thread, frame, 0);
    }
}

/// Replay: delivers what was delivered at `place`, or before it while the thread computed.
fn logged_before(thread: &mut Thread, frame: &mut Frame, place: u8) {
    let has_computed = playback::peek(thread).is_some_and(|next| is_computing(&next));
    logged(thread, frame, if has_computed { flags::COMPUTING } else { place });
}

/// Replay: delivers all that was delivered here.
fn logged(thread: &mut Thread, frame: &mut Frame, place: u8) {
    let mut place = place;
    // One that comes behind a call may have come behind the return of a handler, which is no event, and not behind the one before.
    while (place != 0 || comes_at(thread, place, thread.returns))
        && let Some(header) = playback::take_if(thread, |next| is_signal(next, place))
    {
        let information = logged_information(thread, &header);
        pass_section(thread, place);
        run_handler(thread, frame, header.number as i32, &information, header.flags & flags::FATAL != 0);
        place = 0;
    }
    stop::look(thread);
}

/// A signal that was sent by another thread comes after what that one did before, which a section of its call for it says. At
/// calls the handler runs behind a section in any case.
fn pass_section(thread: &mut Thread, place: u8) {
    if place == flags::IN_OPERATION || place == flags::COMPUTING {
        order::sections::pass(thread);
    }
}

/// The `siginfo_t` of a signal event whose header was taken.
pub fn logged_information(thread: &mut Thread, header: &Header) -> Information {
    let item = ItemHeader::from_bytes(playback::value(thread));
    let mut information = [0; 128];
    if item.length as usize != information.len() || (header.length as usize) < item.stored_size() {
        divergence::damaged(thread, b"a signal has no siginfo");
    }
    playback::body(thread, &mut information);
    playback::skip(thread, header.length as usize - item.stored_size());
    information
}

/// Makes `frame` continue at the handler of `signal`, or ends the process if it is `fatal`.
pub fn run_handler(
    thread: &mut Thread,
    frame: &mut Frame,
    signal: i32,
    information: &Information,
    fatal: bool,
) {
    if fatal {
        die(thread, frame.rip, signal);
    }
    let trapped = !thread.trap.is_null();
    let mut machine = if trapped {
        // SAFETY: the kernel's frame, valid while the trap is being handled.
        unsafe { (*thread.trap).machine }
    } else {
        // SAFETY: all-zero is a valid value of a structure of integers.
        unsafe { core::mem::zeroed::<MachineContext>() }
    };
    stop::as_interrupted(&mut machine);
    machine.load_from(frame);
    let interrupts_operation = thread.is_in_operation(frame.rsp);
    let vectors = frame.vectors;
    let state = State { machine: &machine, vectors: (!trapped).then_some(&vectors) };
    let Some(entry) = push_frame(thread, signal, information, &state) else {
        process::die_by_signal(libc::SIGSEGV)
    };
    enter(frame, signal, &entry);
    if interrupts_operation {
        clear_hidden!(frame);
    }
}

/// Makes `frame` continue at the handler.
fn enter(frame: &mut Frame, signal: i32, entry: &Entry) {
    frame.rip = entry.rip;
    frame.rsp = entry.rsp;
    frame.rdi = signal as u64;
    frame.rsi = entry.information;
    frame.rdx = entry.context;
    frame.rax = 0;
    frame.rflags &= !CLEARED_FLAGS;
}

/// Makes the program continue at the handler when the kernel's frame is left.
pub fn enter_from_context(thread: &Thread, machine: &mut MachineContext, signal: i32, entry: &Entry) {
    if thread.is_in_operation(machine.rsp) {
        clear_hidden!(machine);
    }
    machine.rip = entry.rip;
    machine.rsp = entry.rsp;
    machine.rdi = signal as u64;
    machine.rsi = entry.information;
    machine.rdx = entry.context;
    machine.rax = 0;
    machine.rflags &= !CLEARED_FLAGS;
}

fn on_stack(stack: &SignalStack, rsp: u64) -> bool {
    stack.flags & SS_DISABLE == 0 && rsp > stack.base && rsp - stack.base <= stack.size
}

/// Builds the frame that the kernel would have built for the program's handler of `signal`, and takes the
/// handler's mask into force. `None` if the program has no stack for it.
pub fn push_frame(
    thread: &mut Thread,
    signal: i32,
    information: &Information,
    state: &State,
) -> Option<Entry> {
    let action = process::get().actions[signal as usize];
    if action.flags & libc::SA_RESETHAND as u64 != 0 {
        process::get().actions[signal as usize] = Action::DEFAULT;
        if process::get().mode == Mode::Record {
            kernel_side::follow(signal, &Action::DEFAULT);
        }
    }
    let rsp = state.machine.rsp;
    let stack = thread.signal_stack;
    let base = if thread.is_in_operation(rsp) {
        // The handler may make operations too.
        thread.register.operation_stack = (rsp - RED_ZONE) & !63;
        thread.register.program_stack
    } else {
        rsp
    };
    let already = on_stack(&stack, base);
    let switch = action.flags & libc::SA_ONSTACK as u64 != 0 && stack.flags & SS_DISABLE == 0 && !already;
    let top = if switch { stack.base + stack.size } else { base.checked_sub(RED_ZONE)? };
    let area_size = match state.vectors {
        Some(_) => extended_state::size(),
        // SAFETY: a frame's extended state has at least 512 bytes; the kernel's is valid, the program's was
        // checked by the kernel or will be when it returns through it.
        None => unsafe { extended_state::narrowed_size_of_area(state.machine.extended_state as *const u8) },
    };
    let area = top.checked_sub(area_size as u64)?.min(extended_state::highest_place()) & !63;
    let base = (area.checked_sub(size_of::<SignalFrame>() as u64)? & !15) - 8;
    if !is_writable(base, area + area_size as u64) {
        return None;
    }
    // SAFETY: the area was just found writable and is aligned. What is copied is narrowed only if it is the kernel's.
    let loses = unsafe {
        let loses = match state.vectors {
            Some(vectors) => {
                extended_state::save_with_vectors(area as *mut u8, vectors);
                extended_state::unknown_are_used()
            }
            None => extended_state::copy(state.machine.extended_state as *const u8, area as *mut u8),
        };
        extended_state::canonicalise(area as *mut u8);
        loses
    };
    if loses {
        processor::hidden_registers_are_used();
    }
    let mut machine = *state.machine;
    machine.extended_state = area;
    machine.reserved = [0; 8];
    // The kernel's own mask is another in either mode.
    machine.old_mask = thread.blocked;
    thread.last_fault.show(&mut machine);
    let flag = if stack.flags & SS_DISABLE == 0 && already { SS_ONSTACK } else { stack.flags };
    let built = SignalFrame {
        return_address: action.restorer,
        context: UserContext {
            flags: CONTEXT_FLAGS,
            link: 0,
            stack: SignalStack { flags: flag, ..stack },
            machine,
            mask: thread.blocked,
        },
        information: *information,
    };
    // SAFETY: SignalFrame is plain bytes without padding that matters, and [base, ..) was found writable.
    unsafe { (base as *mut SignalFrame).write_unaligned(built) };
    let own = if action.flags & libc::SA_NODEFER as u64 == 0 { bit(signal) } else { 0 };
    thread.blocked = (thread.blocked | action.mask | own) & !UNBLOCKABLE;
    Some(Entry {
        rip: action.handler,
        rsp: base,
        information: base + core::mem::offset_of!(SignalFrame, information) as u64,
        context: base + core::mem::offset_of!(SignalFrame, context) as u64,
    })
}

/// Whether [begin, end) can be written, touching each page (which also makes a stack grow).
fn is_writable(begin: u64, end: u64) -> bool {
    let mut at = begin;
    while at < end {
        if !log::read_value::<u8>(at).is_some_and(|byte| log::write_program(at, &[byte])) {
            return false;
        }
        at = (at & !4095) + 4096;
    }
    true
}

/// rt_sigreturn: the program's handler has come back. The frame is where rsp points.
pub fn return_from_handler(thread: &mut Thread, frame: &mut Frame) {
    let Some(mut context) = log::read_value::<UserContext>(frame.rsp) else {
        process::die_by_signal(libc::SIGSEGV)
    };
    thread.blocked = context.mask & !UNBLOCKABLE;
    if context.stack.flags & !(SS_ONSTACK | SS_DISABLE) == 0 {
        thread.signal_stack = SignalStack { flags: context.stack.flags & SS_DISABLE, ..context.stack };
    }
    context.machine.segments = USER_SEGMENTS;
    let next = match process::get().mode {
        Mode::Record => {
            kernel_side::block(thread.blocked);
            thread.pending.take(thread.blocked).inspect(|(signal, information)| {
                stop::cancel();
                stop::spot::cancel(thread);
                thread.items.clear();
                thread.items.push_copy(Tag::Output, 0, thread.returns, information);
                log::items_only(thread, Kind::Signal, flags::AT_RETURN, *signal as u16);
            })
        }
        Mode::Replay if comes_at(thread, flags::AT_RETURN, thread.returns) => {
            playback::take_if(thread, |next| is_signal(next, flags::AT_RETURN))
                .map(|header| (header.number as i32, logged_information(thread, &header)))
        }
        Mode::Replay => None,
    };
    thread.returns += 1;
    if let Some((signal, information)) = next {
        let state = State { machine: &context.machine, vectors: None };
        let Some(entry) = push_frame(thread, signal, &information, &state) else {
            process::die_by_signal(libc::SIGSEGV)
        };
        enter(frame, signal, &entry);
        match process::get().mode {
            Mode::Record => kernel_side::block(thread.blocked),
            Mode::Replay => stop::look(thread),
        }
        return;
    }
    thread.register.signals_pending = thread.pending.any(thread.blocked) as u64;
    stop::look(thread);
    context.mask = kernel_side::mask_for(thread.blocked);
    context.stack = SignalStack {
        base: thread::signal_stack_of(thread.area),
        flags: 0,
        padding: 0,
        size: thread::SIGNAL_STACK as u64,
    };
    watch::accesses::returns(thread);
    if thread.trap.is_null() {
        watch::accesses::before_return(thread, &mut context.machine);
        // SAFETY: a complete context; its extended state is the program's own, checked by the kernel.
        unsafe { raw::resume(&raw const context as u64) };
    }
    context.machine.store_to(frame);
    // SAFETY: the kernel's frame, through which the handler of the trap returns.
    unsafe { *thread.trap = context };
}

/// Called by the exit path when a signal came after its last look.
///
/// # Safety
/// `frame` is the frame at the top of the current thread's hook stack.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn imitate_deliver_pending(frame: *mut Frame) {
    // SAFETY: see above.
    at_exit(thread::current(), unsafe { &mut *frame });
}

/// Whether `signal` can be caught at all.
pub fn is_catchable(signal: i32) -> bool {
    (1..=64).contains(&signal) && bit(signal) & UNBLOCKABLE == 0
}

/// Whether a process-directed `signal` with this action ends the process.
pub fn is_deadly(signal: i32) -> bool {
    (1..=64).contains(&signal)
        && process::get().actions[signal as usize].handler == libc::SIG_DFL as u64
        && !default_is_harmless(signal)
}
