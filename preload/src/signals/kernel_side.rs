//! What the kernel is told about signals.

use super::{Action, SYNCHRONOUS, UNBLOCKABLE, bit};
use crate::{process, stop};
use kmod_shim::arch::native::raw;
use tracer_core::session::Mode;

/// The action says where its handler returns to; the kernel of x86-64 wants it of all.
pub const SA_RESTORER: u64 = 0x0400_0000;

/// rt_sigaction(2), for real; gives what was set before.
fn set(signal: i32, action: &Action) -> Action {
    let mut before = Action::DEFAULT;
    let arguments = [signal as u64, action as *const Action as u64, &raw mut before as u64, 8, 0, 0];
    // SAFETY: both structures are valid; handlers are ours or the two constants.
    unsafe { raw::call(libc::SYS_rt_sigaction, arguments) };
    before
}

/// Makes the kernel do what an image needs that has just begun, which has no handlers. Gives the set of signals that it
/// ignores.
pub fn take_over() -> u64 {
    let ignores = |signal: &i32| {
        let ignored = follow(*signal, &Action::DEFAULT).handler == libc::SIG_IGN as u64;
        if ignored {
            follow(*signal, &Action { handler: libc::SIG_IGN as u64, ..Action::DEFAULT });
        }
        ignored
    };
    let signals = (1..=64).filter(|signal| bit(*signal) & UNBLOCKABLE == 0);
    signals.filter(ignores).fold(0, |set, signal| set | bit(signal))
}

/// Lets our handler have `signal`. All that comes from outside is blocked while it runs, faults are not: the
/// handler itself may touch bad memory ([`kmod_shim::arch::native::user_memory`]), and a blocked fault kills. The signal
/// by which we interrupt threads is blocked too: handlers that interrupt each other would use up their stack.
/// It runs on our stack, and calls are never restarted by the kernel: whether they are is decided when the
/// program's handler is delivered. Gives what was set before.
pub fn catch(signal: i32, program_flags: u64) -> Action {
    let kept = program_flags & (libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT) as u64;
    let flags = (libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER) as u64 | SA_RESTORER | kept;
    let handler = super::handler::imitate_signal_handler as *const () as u64;
    set(
        signal,
        &Action { handler, flags, restorer: raw::restorer(), mask: !SYNCHRONOUS | bit(stop::INTERRUPTION) },
    )
}

/// Restores the default action.
pub fn set_default(signal: i32) {
    set(signal, &Action::DEFAULT);
}

/// Makes the kernel do what the program's `action` for `signal` needs. A signal that will end the process comes
/// to us too, so that the end is in the log. Gives what the kernel was told before.
pub fn follow(signal: i32, action: &Action) -> Action {
    let deadly = action.handler == libc::SIG_DFL as u64 && !super::default_is_harmless(signal);
    if action.is_function() || deadly || SYNCHRONOUS & bit(signal) != 0 {
        catch(signal, action.flags)
    } else {
        set(signal, &Action { restorer: raw::restorer(), flags: action.flags | SA_RESTORER, ..*action })
    }
}

/// The mask that is really set for a program that blocks `blocked`. In replay nothing is blocked: no signal is meant for
/// the program then; ^C and the like are meant for the replay.
pub fn mask_for(blocked: u64) -> u64 {
    match process::get().mode {
        Mode::Record => blocked & !(SYNCHRONOUS | UNBLOCKABLE),
        Mode::Replay => 0,
    }
}

/// Sets the mask for a program that blocks `blocked`.
pub fn block(blocked: u64) {
    set_mask(mask_for(blocked));
}

/// Sets the mask as it is given.
pub fn set_mask(mask: u64) {
    // SAFETY: the mask is valid.
    unsafe {
        raw::call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as u64, &raw const mask as u64, 0, 8, 0, 0]);
    }
}

/// The mask that is really set.
pub fn current_mask() -> u64 {
    let mut mask = 0u64;
    // SAFETY: the mask is valid and writable.
    unsafe {
        raw::call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as u64, 0, &raw mut mask as u64, 8, 0, 0]);
    }
    mask
}

/// Gives this thread our alternate stack.
pub fn use_signal_stack(base: u64) {
    let stack = kmod_shim::arch::native::signal_frame::SignalStack {
        base,
        flags: 0,
        padding: 0,
        size: crate::thread::SIGNAL_STACK as u64,
    };
    // SAFETY: the stack is ours and stays mapped.
    unsafe { raw::call(libc::SYS_sigaltstack, [&raw const stack as u64, 0, 0, 0, 0, 0]) };
}
