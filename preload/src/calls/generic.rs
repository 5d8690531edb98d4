//! Calls that their description says everything about.

use super::bounce;
use crate::log::{self, ProgramMemory};
use crate::thread::Thread;
use crate::{clock, divergence, order, output, playback, process, watch};
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::event::{ItemHeader, Kind, Tag, flags};
use tracer_core::session::Mode;
use tracer_core::syscalls::{self, Syscall};

/// Result of a call that a handler interrupted.
pub const INTERRUPTED: i64 = -(libc::EINTR as i64);

/// Records the call with what it read and wrote; replays it from the log without making it.
#[inline]
pub fn emulate(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    match process::get().mode {
        Mode::Record => record(thread, frame, syscall),
        Mode::Replay if syscall.number as i64 == libc::SYS_futex && watch::is_on() => {
            replay_sleep(thread, frame, syscall);
        }
        Mode::Replay => {
            replay(thread, frame, syscall, ignore_item);
        }
    }
}

/// Replays a futex call, and tells of it if it is one that sleeps.
fn replay_sleep(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let sleeps = syscalls::behaviour(syscall, &arguments).blocks;
    if sleeps {
        watch::sleeps(thread, arguments[0], frame);
    }
    let result = replay(thread, frame, syscall, ignore_item);
    // Who was interrupted sleeps again, if a handler does not do something else.
    if sleeps && result != INTERRUPTED {
        watch::wakes(thread, arguments[0], result);
    }
}

/// Makes the call in both modes; its result must be the same.
pub fn execute(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    // SAFETY: it is the program's own call, on its own memory.
    let result = unsafe { raw::call(syscall.number as i64, arguments) };
    super::conclude(thread, frame, syscall, &arguments, result, 0);
}

/// Makes the call and logs it.
#[inline]
pub fn record(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    record_after(thread, frame, syscall, |_| ());
}

/// Makes the call, lets `amend` change what it wrote, and logs it.
#[inline]
pub fn record_after(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    amend: impl FnOnce(&mut i64),
) {
    let arguments = frame.arguments();
    let before = syscalls::before(syscall, &arguments, &ProgramMemory);
    let written = syscalls::written_descriptor(syscall, &arguments);
    let output_flag = written.map_or(0, |descriptor| process::get().outputs.flag(descriptor));
    let mut ticket = None;
    let mut result = if output_flag != 0 {
        let (turn, place) = output::begin(output_flag);
        ticket = Some(place);
        let result = write_out(thread, syscall.number as i64, arguments);
        drop(turn);
        result
    } else {
        perform(thread, syscall, arguments)
    };
    amend(&mut result);
    let again = restarts(thread, syscall, &arguments, result);
    log::push_outputs(thread, syscall, &arguments, &before, result);
    log::push_inputs(thread, syscall, &arguments, result);
    if let Some(ticket) = ticket {
        thread.items.push(Tag::Ticket, 0, ticket, core::ptr::null(), 0);
    }
    let restart = if again { flags::RESTART } else { 0 };
    log::call(thread, Kind::Call, syscall, &arguments, result, output_flag | restart);
    finish(frame, result, again);
}

/// Sets the result, or makes the program make the call again after the handler.
pub fn finish(frame: &mut Frame, result: i64, again: bool) {
    if again {
        frame.rip -= crate::signals::deliver::SYSCALL_LENGTH;
    } else {
        frame.rax = result as u64;
    }
}

/// The call itself. One that may sleep can be interrupted by a signal, as it would be without us.
#[inline]
pub fn perform(thread: &mut Thread, syscall: &Syscall, arguments: [u64; 6]) -> i64 {
    if !syscall.blocks || !syscalls::behaviour(syscall, &arguments).blocks {
        // SAFETY: it is the program's own call, on its own memory.
        return unsafe { raw::call(syscall.number as i64, arguments) };
    }
    if !order::is_ordered(thread) {
        return sleep(thread, syscall.number as i64, arguments);
    }
    let before = syscalls::before(syscall, &arguments, &ProgramMemory);
    let Some(bounced) = bounce::prepare(thread, syscall, &arguments, &before) else {
        return sleep(thread, syscall.number as i64, arguments);
    };
    let result = sleep(thread, syscall.number as i64, bounced.arguments);
    if bounced.deliver(syscall, &before, result) { result } else { -(libc::EFAULT as i64) }
}

/// A write to one of the recording's outputs. Other threads of the process wait meanwhile, so that tickets have the
/// order of the tenures: else a replay would wait for a ticket that only a later tenure can use.
pub fn write_out(thread: &mut Thread, number: i64, arguments: [u64; 6]) -> i64 {
    if !thread.trap.is_null() {
        crate::signals::kernel_side::block(thread.blocked);
    }
    let ordered = order::is_ordered(thread);
    if ordered {
        // Who waits must wait, and a request to stop would cut a long write short.
        order::refuse_requests();
    }
    let result = timed_call(thread, number, arguments);
    if ordered {
        order::permit_requests();
    }
    result
}

/// Makes a call that signals of the program interrupt, but nothing of ours.
pub fn call(thread: &Thread, number: i64, arguments: [u64; 6]) -> i64 {
    loop {
        // SAFETY: it is the program's own call, or one made for it, on valid memory; gs is set.
        let result = unsafe { raw::call_interruptible(number, arguments) };
        // Else by a request to hand over that came late, or the timer of an earlier stop.
        if result != INTERRUPTED || thread.register.signals_pending != 0 {
            return result;
        }
    }
}

/// The same, and notes for how long it slept: the call's event will say it.
fn timed_call(thread: &mut Thread, number: i64, arguments: [u64; 6]) -> i64 {
    let began = clock::ticks(thread);
    let result = call(thread, number, arguments);
    thread.slept_in_call += clock::ticks(thread).saturating_sub(began);
    result
}

/// A call that may sleep: other threads run meanwhile, and signals interrupt it.
pub fn sleep(thread: &mut Thread, number: i64, arguments: [u64; 6]) -> i64 {
    let released = order::release(thread);
    if !thread.trap.is_null() {
        // In a SIGSYS handler everything is blocked; the program's mask must rule while it sleeps.
        crate::signals::kernel_side::block(thread.blocked);
    }
    let result = timed_call(thread, number, arguments);
    if released {
        order::acquire(thread);
    }
    result
}

/// Whether the kernel would restart the call after the handler that is about to run: it was interrupted, it is
/// of a kind that restarts, and the handler's flags allow it (signal(7)) or do not matter.
fn restarts(thread: &mut Thread, syscall: &Syscall, arguments: &[u64; 6], result: i64) -> bool {
    if result != INTERRUPTED || thread.register.signals_pending == 0 {
        return false;
    }
    let Some(signal) = thread.pending.first(thread.blocked) else { return false };
    let action = process::get().actions[signal as usize];
    let harmless = !action.is_function();
    let behaviour = syscalls::behaviour(syscall, arguments);
    behaviour.never_interrupted
        || behaviour.restarts && (action.flags & libc::SA_RESTART as u64 != 0 || harmless)
}

/// Takes the call's outcome from the log.
#[inline]
pub fn replay(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    mut other: impl FnMut(&mut Thread, &ItemHeader),
) -> i64 {
    let arguments = frame.arguments();
    let outcome = playback::outcome(thread, Kind::Call, syscall, &arguments);
    let mut ticket = None;
    playback::items(thread, syscall, outcome.items, |thread, item| {
        if item.tag == Tag::Ticket as u8 {
            ticket = Some(item.value);
        } else {
            other(thread, item);
        }
    });
    let output_flag = outcome.flags & (flags::STDOUT | flags::STDERR);
    if output_flag != 0 {
        output::reproduce(syscall.number, &arguments, outcome.result, output_flag, ticket);
    }
    finish(frame, outcome.result, outcome.flags & flags::RESTART != 0);
    outcome.result
}

/// For calls whose events have no items beyond inputs, outputs and what any call can do to mapped files.
pub fn ignore_item(thread: &mut Thread, item: &ItemHeader) {
    if super::memory::is_about_files(item) {
        super::memory::apply(thread, item);
        return;
    }
    if item.tag != Tag::Ticket as u8 {
        divergence::damaged(thread, b"an event has an item that its call cannot have");
    }
    playback::skip(thread, item.length as usize);
}
