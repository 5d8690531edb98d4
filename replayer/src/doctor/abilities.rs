//! What the kernel lets a process do. Each question is tried out in a child process, because the answer to
//! some is a signal and the effect of others stays with the process.

use super::Finding;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use tracer_core::session::{CONTROL_SIZE, SESSION_SIZE};

/// What a child found: nothing wrong, or an `errno`.
type Outcome = Result<(), i32>;

/// An `errno` that no system call gives: what was asked for was allowed, but had no effect.
const NO_EFFECT: i32 = 255;

/// From linux/prctl.h; the libc crate has none of these.
mod dispatch {
    pub const PR_SET_SYSCALL_USER_DISPATCH: libc::c_int = 59;
    pub const PR_SYS_DISPATCH_ON: libc::c_ulong = 1;
    pub const SYSCALL_DISPATCH_FILTER_ALLOW: u8 = 0;
    pub const SYSCALL_DISPATCH_FILTER_BLOCK: u8 = 1;
}

static TRAPPED: AtomicBool = AtomicBool::new(false);

/// Runs `question` in a child. `what` names the system call for the message.
fn ask(what: &str, remark: &str, question: fn() -> Outcome) -> Finding {
    // SAFETY: the tool has one thread, so the child may go on using everything; it ends with _exit, which runs
    // nothing of the parent's.
    let status = unsafe {
        match libc::fork() {
            -1 => return Err(format!("cannot fork: {}", io::Error::last_os_error())),
            0 => libc::_exit(question().err().unwrap_or(0)),
            child => {
                let mut status = 0;
                while libc::waitpid(child, &mut status, 0) == -1 && errno() == libc::EINTR {}
                status
            }
        }
    };
    if libc::WIFSIGNALED(status) {
        let signal = crate::status::signal_name(libc::WTERMSIG(status));
        return Err(format!("{what}: a process that tried it was killed by {signal}"));
    }
    match libc::WEXITSTATUS(status) {
        0 => Ok(remark.to_owned()),
        NO_EFFECT => Err(format!("{what} was accepted but has no effect")),
        error => Err(format!("{what}: {}", io::Error::from_raw_os_error(error))),
    }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(NO_EFFECT)
}

/// `result` of a libc function that gives -1 and sets `errno`.
fn checked(result: impl Into<i64>) -> Outcome {
    if result.into() == -1 { Err(errno()) } else { Ok(()) }
}

/// Makes `handler` the handler of `signal`.
fn handle(signal: i32, handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void)) -> Outcome {
    // SAFETY: zeroed is a valid sigaction (empty mask); the handlers here touch only atomics and the context.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        checked(libc::sigaction(signal, &action, std::ptr::null_mut()))
    }
}

fn trapped() -> Outcome {
    if TRAPPED.load(Ordering::Relaxed) { Ok(()) } else { Err(NO_EFFECT) }
}

/// Is a system call turned into SIGSYS?
pub fn system_call_dispatch() -> Finding {
    static SELECTOR: AtomicU8 = AtomicU8::new(dispatch::SYSCALL_DISPATCH_FILTER_ALLOW);
    extern "C" fn allow(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        SELECTOR.store(dispatch::SYSCALL_DISPATCH_FILTER_ALLOW, Ordering::Relaxed);
        TRAPPED.store(true, Ordering::Relaxed);
    }
    ask("prctl(PR_SET_SYSCALL_USER_DISPATCH)", "works", || {
        handle(libc::SIGSYS, allow)?;
        // SAFETY: the selector is a static byte; the first call that is dispatched opens it again.
        unsafe {
            checked(libc::prctl(
                dispatch::PR_SET_SYSCALL_USER_DISPATCH,
                dispatch::PR_SYS_DISPATCH_ON,
                0,
                0,
                SELECTOR.as_ptr(),
            ))?;
            SELECTOR.store(dispatch::SYSCALL_DISPATCH_FILTER_BLOCK, Ordering::Relaxed);
            libc::syscall(libc::SYS_getppid);
        }
        trapped()
    })
}

/// May address randomisation be switched off?
pub fn fixed_addresses() -> Finding {
    ask("personality(ADDR_NO_RANDOMIZE)", "address randomisation can be switched off", || {
        // SAFETY: changes only this child's personality.
        let now = unsafe {
            checked(libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong))?;
            libc::personality(0xffff_ffff)
        };
        checked(now)?;
        if now & libc::ADDR_NO_RANDOMIZE != 0 { Ok(()) } else { Err(NO_EFFECT) }
    })
}

/// Can the session's memory be made?
pub fn shared_memory() -> Finding {
    ask("memfd_create and mmap", "memfd works", || {
        // SAFETY: the name is a C string; the descriptor and the mapping are the child's own.
        unsafe {
            // Past RLIMIT_FSIZE, ftruncate would kill instead of failing.
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let file = libc::memfd_create(c"imitate-doctor".as_ptr(), libc::MFD_CLOEXEC);
            checked(file)?;
            checked(libc::ftruncate(file, SESSION_SIZE as libc::off_t))?;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let memory = libc::mmap(std::ptr::null_mut(), CONTROL_SIZE, access, libc::MAP_SHARED, file, 0);
            checked(memory as i64)
        }
    })
}

/// May the code of a mapped object be changed?
pub fn writable_code() -> Finding {
    ask("mprotect of code to writable", "system calls can be rewritten in place", || {
        const PAGE: usize = 4096;
        let page = writable_code as *const () as usize & !(PAGE - 1);
        // SAFETY: gives a page of this child's code one right more; nothing is written.
        unsafe {
            checked(libc::mprotect(
                page as *mut libc::c_void,
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            ))
        }
    })
}

/// Steps over `rdtsc` and `cpuid`, which have two bytes each.
extern "C" fn step_over(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: SA_SIGINFO handlers get a ucontext_t that is theirs until they return.
    unsafe {
        (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize] += 2;
    }
    TRAPPED.store(true, Ordering::Relaxed);
}

/// Is `rdtsc` turned into SIGSEGV?
pub fn time_stamp_trap() -> Finding {
    ask("prctl(PR_SET_TSC)", "rdtsc can be trapped", || {
        handle(libc::SIGSEGV, step_over)?;
        // SAFETY: rdtsc writes only eax and edx; when it traps, the handler steps over its two bytes.
        unsafe {
            checked(libc::prctl(libc::PR_SET_TSC, libc::PR_TSC_SIGSEGV))?;
            std::arch::asm!("rdtsc", out("eax") _, out("edx") _, options(nomem, nostack));
        }
        trapped()
    })
}

/// Is `cpuid` turned into SIGSEGV?
pub fn cpuid_trap() -> Finding {
    const ARCH_SET_CPUID: libc::c_long = 0x1012;
    ask("arch_prctl(ARCH_SET_CPUID)", "cpuid can be trapped", || {
        handle(libc::SIGSEGV, step_over)?;
        // SAFETY: cpuid writes only eax to edx (rbx, which LLVM keeps, is put back); when it traps, the handler
        // steps over its two bytes.
        unsafe {
            checked(libc::syscall(libc::SYS_arch_prctl, ARCH_SET_CPUID, 0))?;
            std::arch::asm!(
                "mov {saved}, rbx", "cpuid", "mov rbx, {saved}",
                saved = out(reg) _, inout("eax") 0 => _, inout("ecx") 0 => _, out("edx") _,
                options(nomem, nostack),
            );
        }
        trapped()
    })
}

/// May a child be traced?
pub fn ptrace() -> Finding {
    ask("ptrace", "children can be traced", || {
        // SAFETY: TRACEME uses no address; this child ends before any signal would stop it.
        unsafe { checked(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0)) }
    })
}
