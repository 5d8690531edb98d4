//! A system call of the program: classify, perform or replay, log or verify, return.
//!
//! [`dispatch`] is where both ways in (rewritten sites and SIGSYS) meet. Most calls are `generic`: what they
//! read and write comes from their description in [`tracer_core::syscalls`]. The others have a function in the
//! table [`special`].

pub mod arrivals;
pub mod bounce;
pub mod clone;
pub mod descriptors;
pub mod exec;
mod futex;
pub mod generic;
pub mod memory;
pub mod plain;
pub mod process;
pub mod processor;
pub mod reads;
pub mod robust;
pub mod seccomp;
pub mod signals;
pub mod wait;

use crate::signals::deliver;
use crate::thread::{self, Thread};
use crate::{check, debugger, kernel, log, order, stop, watch};
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::event::{Kind, flags};
use tracer_core::session::Mode;
use tracer_core::syscalls::{self, Class, Syscall};

/// Code of our own for one system call, in both modes. It sets the result in the frame.
pub type Special = fn(&mut Thread, &mut Frame, &'static Syscall);

/// Entry from rewritten sites, on the hook stack.
///
/// # Safety
/// Called by the entry assembly only, with the frame at the top of this thread's hook stack.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn imitate_dispatch(frame: *mut Frame) {
    // SAFETY: see above.
    dispatch(thread::current(), unsafe { &mut *frame });
}

/// Handles one system call.
#[inline]
pub fn dispatch(thread: &mut Thread, frame: &mut Frame) {
    let outer = thread.frame;
    thread.frame = frame;
    // The kernel looks at 32 bits (do_syscall_64 takes an int).
    frame.rax = frame.rax as u32 as u64;
    let number = frame.rax;
    if debugger::is_on() && debugger::stops_before(thread, frame) {
        thread.frame = outer;
        return;
    }
    match syscalls::lookup(frame.rax) {
        // No event, so what happened at it could not be told from what happens at the next.
        None => frame.rax = -libc::ENOSYS as u64,
        Some(_) if order::objects::pass(thread, frame) => {}
        // The same; what is due is delivered when it has been made.
        Some(syscall) if syscall.number as i64 == libc::SYS_rt_sigreturn => {
            make(thread, frame, syscall);
            deliver::at_exit(thread, frame);
        }
        Some(syscall) if plain::pass(thread, frame, syscall) => deliver::at_exit(thread, frame),
        Some(syscall) => {
            order::enter(thread);
            // Behind a hand-over there may be a check, which could not be seen before.
            if debugger::is_on() && !order::is_parallel() && debugger::stops_before(thread, frame) {
                thread.frame = outer;
                return;
            }
            if order::is_parallel() {
                order::objects::look_for_jump(thread, frame.rsp);
            }
            if !deliver::at_entry(thread, frame) {
                if order::is_parallel() {
                    futex::make_in_parallel(thread, frame, syscall);
                } else {
                    make(thread, frame, syscall);
                }
                deliver::at_exit(thread, frame);
            }
            order::exit(thread);
        }
    }
    match crate::process::get().mode {
        Mode::Record => stop::look(thread),
        Mode::Replay => {
            if debugger::is_on() {
                debugger::stop_behind(thread, frame);
            }
            if watch::accesses::are_told() {
                watch::accesses::called(thread, frame, number);
                watch::accesses::before_program(thread);
            }
        }
    }
    thread.frame = outer;
}

fn make(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    thread.calls += 1;
    thread.will_look.store(true, Ordering::Relaxed);
    check::before_call(thread, frame);
    thread.items.clear();
    if crate::process::get().filters.any() && !seccomp::permits(thread, frame, syscall) {
        return;
    }
    if plain::is_plain(syscall.number) && crate::process::get().mode == Mode::Record {
        return plain::record(thread, frame, syscall);
    }
    memory::give_back_code(syscall, &frame.arguments());
    match crate::process::get().mode {
        Mode::Record => memory::before_call(thread, syscall, &frame.arguments()),
        Mode::Replay => watch::accesses::open_all(),
    }
    if let Some(error) = memory::refusal(syscall, &frame.arguments()) {
        return refuse(thread, frame, syscall, error, false);
    }
    if let Some(special) = special(frame.rax as i64) {
        return special(thread, frame, syscall);
    }
    by_class(thread, frame, syscall);
}

/// What the description says is to be done.
pub fn by_class(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    match syscalls::behaviour(syscall, &frame.arguments()).class {
        Class::Refuse(error) => refuse(thread, frame, syscall, error, true),
        Class::RefuseQuietly(error) => refuse(thread, frame, syscall, error, false),
        Class::Execute => generic::execute(thread, frame, syscall),
        Class::Emulate | Class::Special => generic::emulate(thread, frame, syscall),
    }
}

/// A call whose result we decide, the same in both modes: `decide` does the work and returns the result.
pub fn decided(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    decide: impl FnOnce(&mut Thread, &[u64; 6]) -> i64,
) {
    let arguments = frame.arguments();
    let result = decide(thread, &arguments);
    thread.items.clear();
    conclude(thread, frame, syscall, &arguments, result, 0);
}

/// Logs, or verifies, the result of a call that was worked out without the log.
pub fn conclude(
    thread: &mut Thread,
    frame: &mut Frame,
    syscall: &'static Syscall,
    arguments: &[u64; 6],
    result: i64,
    flags: u8,
) {
    match crate::process::get().mode {
        Mode::Record => log::call(thread, Kind::Call, syscall, arguments, result, flags),
        Mode::Replay => {
            let outcome = crate::playback::outcome(thread, Kind::Call, syscall, arguments);
            crate::playback::items(thread, syscall, outcome.items, generic::ignore_item);
            if outcome.result != result {
                crate::divergence::other_result(thread, syscall, arguments, outcome.result, result);
            }
        }
    }
    frame.rax = result as u64;
}

/// Gives an unsupported call its errno; while recording, says so by name, once for each.
pub fn refuse(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall, error: i32, loudly: bool) {
    if loudly && crate::process::get().mode == Mode::Record && first_refusal(syscall.number) {
        kernel::complain(&[
            b"the program called ",
            syscall.name.as_bytes(),
            b", which cannot be recorded; it got an error instead",
        ]);
    }
    let arguments = frame.arguments();
    thread.items.clear();
    conclude(thread, frame, syscall, &arguments, -error as i64, flags::REFUSED);
}

fn first_refusal(number: u16) -> bool {
    use core::sync::atomic::{AtomicU64, Ordering};
    static SAID: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    let bit = 1 << (number % 64);
    SAID[number as usize / 64 % 8].fetch_or(bit, Ordering::Relaxed) & bit == 0
}

/// The calls that need more than their description.
const fn special(number: i64) -> Option<Special> {
    Some(match number {
        libc::SYS_read | libc::SYS_pread64 => reads::read,
        libc::SYS_open | libc::SYS_openat | libc::SYS_openat2 | libc::SYS_creat => arrivals::open,
        libc::SYS_recvmsg => arrivals::receive,
        libc::SYS_close => descriptors::close,
        libc::SYS_close_range => descriptors::close_range,
        libc::SYS_dup | libc::SYS_dup2 | libc::SYS_dup3 => descriptors::duplicate,
        libc::SYS_fcntl => descriptors::fcntl,
        libc::SYS_getdents64 => descriptors::list,
        libc::SYS_sendfile
        | libc::SYS_splice
        | libc::SYS_tee
        | libc::SYS_vmsplice
        | libc::SYS_copy_file_range => descriptors::transfer,
        libc::SYS_mmap => memory::map,
        libc::SYS_mremap => memory::remap,
        libc::SYS_shmat => memory::attach,
        libc::SYS_shmdt => memory::detach,
        libc::SYS_munmap | libc::SYS_mprotect | libc::SYS_madvise => memory::change,
        libc::SYS_brk => generic::execute,
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 => {
            generic::emulate
        }
        libc::SYS_rt_sigaction => signals::action,
        libc::SYS_rt_sigprocmask => signals::mask,
        libc::SYS_rt_sigreturn => signals::return_from_handler,
        libc::SYS_sigaltstack => signals::alternate_stack,
        libc::SYS_rt_sigpending => signals::pending,
        libc::SYS_rt_sigsuspend => signals::suspend,
        libc::SYS_kill
        | libc::SYS_tkill
        | libc::SYS_tgkill
        | libc::SYS_rt_sigqueueinfo
        | libc::SYS_rt_tgsigqueueinfo => signals::send,
        libc::SYS_clone | libc::SYS_fork | libc::SYS_vfork => clone::clone,
        libc::SYS_clone3 => clone::clone3,
        libc::SYS_futex => futex::make,
        libc::SYS_execve | libc::SYS_execveat => exec::exec,
        libc::SYS_exit | libc::SYS_exit_group => process::exit,
        libc::SYS_wait4 | libc::SYS_waitid => wait::wait,
        libc::SYS_sched_yield => process::yield_processor,
        libc::SYS_prlimit64 | libc::SYS_setrlimit => process::limit,
        libc::SYS_set_tid_address => process::set_tid_address,
        libc::SYS_set_robust_list => robust::set,
        libc::SYS_personality => process::personality,
        libc::SYS_arch_prctl => processor::arch_prctl,
        libc::SYS_prctl => processor::prctl,
        libc::SYS_seccomp => seccomp::seccomp,
        _ => return None,
    })
}
