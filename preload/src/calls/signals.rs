//! The signal calls: answered from what we keep (see [`crate::signals`]).

use super::{conclude, decided, generic};
use crate::log;
use crate::order::objects::cancel;
use crate::playback;
use crate::process;
use crate::signals::{Action, SYNCHRONOUS, UNBLOCKABLE, bit, deliver, kernel_side};
use crate::thread::Thread;
use kmod_shim::arch::native::{frame::Frame, raw, signal_frame::SignalStack};
use tracer_core::event::Kind;
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

const FAULT: i64 = -(libc::EFAULT as i64);
const INVALID: i64 = -(libc::EINVAL as i64);
const MASK_SIZE: u64 = 8;

fn as_bytes<T: Copy>(value: &T) -> &[u8] {
    // SAFETY: used for `repr(C)` structures of integers without implicit padding.
    unsafe { core::slice::from_raw_parts((value as *const T).cast(), size_of::<T>()) }
}

/// rt_sigaction(2).
pub fn action(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    decided(thread, frame, syscall, |_, &[signal, new, old, size, ..]| {
        let signal = signal as i32;
        if size != MASK_SIZE || !(1..=64).contains(&signal) {
            return INVALID;
        }
        let process = process::get();
        let before = process.actions[signal as usize];
        if new != 0 {
            let Some(mut action) = log::read_value::<Action>(new) else { return FAULT };
            if !deliver::is_catchable(signal) {
                return INVALID;
            }
            action.mask &= !UNBLOCKABLE;
            if !cancel::has(signal) {
                process.actions[signal as usize] = action;
                if process.mode == Mode::Record {
                    kernel_side::follow(signal, &action);
                }
            }
        }
        if old != 0 && !log::write_program(old, as_bytes(&before)) {
            return FAULT;
        }
        0
    });
}

/// rt_sigprocmask(2).
pub fn mask(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Record {
        // What has come so far came before the call. From here on the kernel holds back what comes, so that
        // nothing is put aside that the new mask then keeps from being delivered.
        kernel_side::set_mask(!SYNCHRONOUS);
        if deliver::at_entry(thread, frame) {
            return;
        }
    }
    decided(thread, frame, syscall, |thread, &[how, new, old, size, ..]| {
        if size != MASK_SIZE {
            return INVALID;
        }
        let before = thread.blocked;
        if new != 0 {
            let Some(set) = log::read_value::<u64>(new) else { return FAULT };
            let blocked = match how as i32 {
                libc::SIG_BLOCK => before | set,
                libc::SIG_UNBLOCK => before & !set,
                libc::SIG_SETMASK => set,
                _ => return INVALID,
            };
            thread.blocked = blocked & !UNBLOCKABLE;
            if thread.pending.any(thread.blocked) {
                thread.register.signals_pending = 1;
            }
        }
        if old != 0 && !log::write_program(old, as_bytes(&before)) {
            return FAULT;
        }
        0
    });
    if process::get().mode == Mode::Record {
        kernel_side::block(thread.blocked);
    }
}

/// rt_sigreturn(2). Not logged: it is a function of the program's memory.
pub fn return_from_handler(thread: &mut Thread, frame: &mut Frame, _: &'static Syscall) {
    deliver::return_from_handler(thread, frame);
}

/// rt_sigpending(2): the kernel's, and faults' signals that we hold back because the program has blocked them.
pub fn pending(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Replay {
        return generic::emulate(thread, frame, syscall);
    }
    let address = frame.rdi;
    let held = thread.pending.set();
    generic::record_after(thread, frame, syscall, |result| {
        if *result == 0
            && let Some(set) = log::read_value::<u64>(address)
        {
            log::write_program(address, &(set | held).to_le_bytes());
        }
    });
}

/// sigaltstack(2).
pub fn alternate_stack(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    const SS_ONSTACK: i32 = 1;
    const SS_DISABLE: i32 = 2;
    const SMALLEST: u64 = 2048;
    let rsp = frame.rsp;
    decided(thread, frame, syscall, |thread, &[new, old, ..]| {
        let before = thread.signal_stack;
        let inside = before.flags & SS_DISABLE == 0 && rsp > before.base && rsp - before.base <= before.size;
        if new != 0 {
            let Some(stack) = log::read_value::<SignalStack>(new) else { return FAULT };
            if inside {
                return -(libc::EPERM as i64);
            }
            if stack.flags & SS_DISABLE == 0 && stack.size < SMALLEST {
                return -(libc::ENOMEM as i64);
            }
            let disabled = SignalStack { base: 0, flags: SS_DISABLE, padding: 0, size: 0 };
            thread.signal_stack = if stack.flags & SS_DISABLE != 0 {
                disabled
            } else {
                SignalStack { flags: 0, padding: 0, ..stack }
            };
        }
        let flags = if inside { SS_ONSTACK } else { before.flags };
        if old != 0 && !log::write_program(old, as_bytes(&SignalStack { flags, ..before })) {
            return FAULT;
        }
        0
    });
}

/// rt_sigsuspend(2): the mask is replaced while waiting.
pub fn suspend(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Replay {
        return generic::emulate(thread, frame, syscall);
    }
    let arguments = frame.arguments();
    let result = match log::read_value::<u64>(arguments[0]) {
        None => FAULT,
        // Put aside by us although the program's own mask has it: the kernel would find it pending.
        Some(mask) if thread.pending.any(mask) => generic::INTERRUPTED,
        Some(mask) => {
            let mask = kernel_side::mask_for(mask);
            generic::sleep(thread, syscall.number as i64, [&raw const mask as u64, arguments[1], 0, 0, 0, 0])
        }
    };
    conclude(thread, frame, syscall, &arguments, result, 0);
}

/// kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo.
///
/// A deadly signal to ourselves is logged before it is sent, because nothing can be logged after. In replay
/// other processes get nothing (what they got is in their own streams), and ours dies where it died.
pub fn send(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let number = syscall.number as i64;
    let with_thread = matches!(number, libc::SYS_tgkill | libc::SYS_rt_tgsigqueueinfo);
    let signal = arguments[if with_thread { 2 } else { 1 }] as i32;
    let target = arguments[0] as i32;
    let process = process::get();
    let to_us = match number {
        libc::SYS_tkill => target == thread.id as i32,
        libc::SYS_kill => target == process.id as i32 || target <= 0,
        _ => target == process.id as i32,
    };
    let perhaps_last = to_us && (deliver::is_deadly(signal) || signal == libc::SIGKILL);
    let blocked = (1..=64).contains(&signal) && thread.blocked & bit(signal) != 0;
    let last = perhaps_last && !blocked;
    match process.mode {
        Mode::Record => {
            if last {
                thread.items.clear();
                log::call(thread, Kind::Entry, syscall, &arguments, 0, 0);
            }
            thread.items.clear();
            if !thread.trap.is_null() {
                kernel_side::block(thread.blocked);
            }
            // SAFETY: it is the program's own call.
            let result = unsafe { raw::call(number, arguments) };
            log::push_inputs(thread, syscall, &arguments, result);
            log::call(thread, Kind::Call, syscall, &arguments, result, 0);
            frame.rax = result as u64;
        }
        Mode::Replay => {
            if last {
                let entry = playback::outcome(thread, Kind::Entry, syscall, &arguments);
                playback::items(thread, syscall, entry.items, generic::ignore_item);
                if playback::peek(thread).is_none() {
                    super::process::finish(thread);
                    process::die_by_signal(signal);
                }
            }
            generic::emulate(thread, frame, syscall);
        }
    }
}
