//! Signals while the tool waits for a program that has its terminal.
//!
//! What the terminal sends (^C, ^\) reaches the program by itself, because it is in the same process group;
//! whether it ends is the program's decision, so the tool must outlive it. What is sent to the tool alone is
//! meant for the program.

use std::sync::atomic::{AtomicI32, Ordering};

/// The last signal that asked this process, or all on its terminal, to end; 0 if none did.
static ASKED_TO_END: AtomicI32 = AtomicI32::new(0);

/// Process id of the program, 0 while there is none.
static PROGRAM: AtomicI32 = AtomicI32::new(0);

/// Takes care of the signals from now on. The program that is started afterwards finds them as this process
/// found them: exec resets handlers, and a signal that is ignored (by nohup, say) is left alone.
pub fn take_over_signals() {
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        handle(signal, outlive);
    }
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        handle(signal, forward);
    }
}

/// The program's process id is known now.
pub fn forward_to(program: i32) {
    PROGRAM.store(program, Ordering::Relaxed);
}

/// The signal that asked this process to end, if one did since it takes care of them.
pub fn asked_to_end() -> Option<i32> {
    match ASKED_TO_END.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal),
    }
}

extern "C" fn outlive(signal: i32) {
    ASKED_TO_END.store(signal, Ordering::Relaxed);
}

extern "C" fn forward(signal: i32) {
    ASKED_TO_END.store(signal, Ordering::Relaxed);
    let program = PROGRAM.load(Ordering::Relaxed);
    // SAFETY: all three are async-signal-safe. The program is a child that has not been waited for while its
    // id is stored, so the id is not another process's.
    unsafe {
        if program != 0 {
            libc::kill(program, signal);
        } else {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
}

fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: zeroed is a valid sigaction; the handlers do nothing that a handler may not do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let known = libc::sigaction(signal, std::ptr::null(), &mut action) == 0;
        if known && action.sa_sigaction != libc::SIG_IGN {
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}
