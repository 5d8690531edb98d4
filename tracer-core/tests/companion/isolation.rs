//! Tests that fork need a process with one thread, which the test harness is not.

use std::process::Command;

const VARIABLE: &str = "COMPANION_TEST";

/// Runs `body` in a new process of this test binary, where the test called `name` (its path in the crate) is
/// the only one and runs on the main thread.
pub fn in_own_process(name: &str, body: impl FnOnce()) {
    if std::env::var(VARIABLE).is_ok_and(|chosen| chosen == name) {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env(VARIABLE, name)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success() && text(&output.stdout).contains("1 passed"),
        "{:?}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// A child process that runs `body` and exits with its result.
pub fn fork(body: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: this process has one thread, see `in_own_process`.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            // A panic must not run the parent's test code a second time.
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
            // SAFETY: ends the process.
            unsafe { libc::_exit(code) }
        }
        child => child,
    }
}

/// The child's wait status, once it has ended.
pub fn wait(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: the kernel fills `status`.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    status
}

/// Sends SIGKILL.
pub fn kill(process: libc::pid_t) {
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::kill(process, libc::SIGKILL) }, 0);
}
