//! The one handler that the kernel knows.

use super::{Information, SYNCHRONOUS, bit, code_of, deliver, fault, kernel_side};
use crate::calls;
use crate::debugger;
use crate::log;
use crate::order;
use crate::process;
use crate::sites;
use crate::stop;
use crate::thread::{self, Thread};
use crate::watch;
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::{entry, frame::Frame, raw, signal_frame::UserContext};
use kmod_shim::dispatch::SYS_USER_DISPATCH;
use tracer_core::event::{Kind, Tag};
use tracer_core::session::Mode;

/// Where xmm0 lies in the extended state of a signal frame.
const VECTORS: u64 = 160;

/// Called by the kernel, on our stack, with everything blocked.
pub extern "C" fn imitate_signal_handler(
    signal: i32,
    information: *mut Information,
    context: *mut UserContext,
) {
    let thread = thread::current();
    // SAFETY: the kernel passes valid pointers into the frame that it built on our stack.
    let (information, context) = unsafe { (&mut *information, &mut *context) };
    if signal == libc::SIGSYS && code_of(information) == SYS_USER_DISPATCH {
        return system_call(thread, context);
    }
    if signal == libc::SIGTRAP && debugger::wants_state() {
        return debugger::give_state(thread, context);
    }
    if let Some(reason) = stop::reason(signal, information) {
        stop::interrupted(thread, context, reason);
        return watch::accesses::after_signal(thread, &context.machine);
    }
    if signal == libc::SIGTRAP
        && stop::spot::stepped(thread, code_of(information), &mut context.machine, &mut context.mask)
    {
        return;
    }
    // The kernel marks what instructions cause with positive codes; kill and its relatives have 0 or less.
    if SYNCHRONOUS & bit(signal) != 0 && code_of(information) > 0 {
        return fault::handle(thread, signal, information, context);
    }
    asynchronous(thread, signal, information, context);
}

/// Syscall User Dispatch stopped the program at a system call.
fn system_call(thread: &mut Thread, context: &mut UserContext) {
    let machine = &mut context.machine;
    if thread.in_vdso || crate::start::is_our_code(machine.rip) {
        // A library that we link, or the vDSO for us, called the kernel from within a hook.
        let arguments = [machine.rdi, machine.rsi, machine.rdx, machine.r10, machine.r8, machine.r9];
        // SAFETY: it is the call that our own code asked for.
        machine.rax = unsafe { raw::call(machine.rax as i64, arguments) } as u64;
        return;
    }
    stop::spot::give_up(thread, machine);
    if process::get().mode == Mode::Replay {
        watch::accesses::end_step(thread, machine);
        // The call may wait for other processes, for as long as they compute.
        kernel_side::block(thread.blocked);
    }
    let mut frame = Frame {
        vectors: [0; 16],
        rax: machine.rax,
        rdi: machine.rdi,
        rsi: machine.rsi,
        rdx: machine.rdx,
        r10: machine.r10,
        r8: machine.r8,
        r9: machine.r9,
        rbx: machine.rbx,
        rbp: machine.rbp,
        r12: machine.r12,
        r13: machine.r13,
        r14: machine.r14,
        r15: machine.r15,
        rsp: machine.rsp,
        rip: machine.rip,
        rflags: machine.rflags,
    };
    // SAFETY: a signal frame's extended state has at least the 512 legacy bytes.
    frame.vectors = unsafe { *((machine.extended_state + VECTORS) as *const [u128; 16]) };
    sites::exclusively(|sites| sites.rewrite(machine.rip));
    let outer = thread.trap;
    thread.trap = context;
    calls::dispatch(thread, &mut frame);
    thread.trap = outer;
    context.machine.load_from(&frame);
    watch::accesses::before_return(thread, &mut context.machine);
    context.mask = kernel_side::mask_for(thread.blocked);
}

/// A signal from outside: put aside until the next safepoint.
fn asynchronous(thread: &mut Thread, signal: i32, information: &Information, context: &mut UserContext) {
    if process::get().mode == Mode::Replay {
        // Faults and one alarm are caught in replay: the alarm that bounds a last computation, or somebody's
        // kill -SEGV, which means us.
        if signal == libc::SIGALRM {
            return deliver::end_what_is_left(thread, context.machine.rip);
        }
        calls::process::finish(thread);
        process::die_by_signal(signal);
    }
    let rip = context.machine.rip;
    let interrupted = raw::interrupted_at(rip).or_else(|| entry::exit_restart(rip));
    let in_hook = interrupted.is_some() || crate::start::is_our_code(rip);
    if !in_hook && deliver::is_deadly(signal) && thread.blocked & bit(signal) == 0 {
        return end(thread, signal, information);
    }
    thread.pending.add(signal, information);
    if thread.pending.any(thread.blocked) {
        thread.register.signals_pending = 1;
    }
    context.mask = !SYNCHRONOUS;
    match interrupted {
        Some(elsewhere) => context.machine.rip = elsewhere,
        // No timer is needed, which costs more than the rest of a signal where the machine is a virtual one.
        None if thread.will_look.load(Ordering::Relaxed) => {}
        // In sync order others run meanwhile, and the state by which a stop is known is not only this thread's.
        None if order::is_parallel() => stop::spot::arrived(thread),
        None => stop::arrived(thread),
    }
}

/// A deadly signal in the middle of the program's own code. Nothing that the program does between here and its
/// next safepoint can be seen by anybody, so replay ends it there.
pub fn end(thread: &mut Thread, signal: i32, information: &Information) {
    thread.items.clear();
    thread.items.push_copy(Tag::Output, 0, 0, information);
    log::items_only(thread, Kind::Signal, fault::flags::AT_ENTRY | fault::flags::FATAL, signal as u16);
    if order::is_parallel() {
        order::sections::pass(thread);
    }
    calls::process::finish(thread);
    process::die_by_signal(signal);
}
