//! Syscall User Dispatch: every system call made outside our own assembly raises SIGSYS.
//!
//! Documentation/admin-guide/syscall-user-dispatch.rst. It is per thread and cleared by clone, fork and exec,
//! so every child arms it again before it runs any of the program's code.

use crate::arch::native::raw;

const PR_SET_SYSCALL_USER_DISPATCH: u64 = 59;
const PR_SYS_DISPATCH_ON: u64 = 1;
/// `si_code` of the SIGSYS that it raises.
pub const SYS_USER_DISPATCH: i32 = 2;

/// Always "block": our own calls are let through by their address, so the selector never changes and no hook
/// ever writes it.
static SELECTOR: u8 = 1;

/// Arms it for this thread.
///
/// Errors: the negative errno of prctl; EINVAL on kernels before 5.11 or where a container hides it.
pub fn arm() -> Result<(), i64> {
    let allowed = raw::allowed_range();
    let arguments = [
        PR_SET_SYSCALL_USER_DISPATCH,
        PR_SYS_DISPATCH_ON,
        allowed.start,
        allowed.end - allowed.start,
        &raw const SELECTOR as u64,
        0,
    ];
    // SAFETY: the selector is a static.
    match unsafe { raw::call(libc::SYS_prctl, arguments) } {
        0 => Ok(()),
        error => Err(error),
    }
}
