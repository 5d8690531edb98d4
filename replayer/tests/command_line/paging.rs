//! Output on a terminal goes through a pager.

use crate::{Tool, synthetic};
use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

/// What appears on a terminal that the tool has as its stdout.
fn on_terminal(tool: &Tool, pager: &str, arguments: &[&str]) -> String {
    let (mut screen, mut device) = (-1, -1);
    let (name, settings, size) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: both numbers are written to; nothing else is asked for.
    assert_eq!(unsafe { libc::openpty(&mut screen, &mut device, name, settings, size) }, 0);
    // SAFETY: they are new, and nobody else's.
    let (mut screen, device) = unsafe { (File::from_raw_fd(screen), OwnedFd::from_raw_fd(device)) };
    let mut command = Command::new(env!("CARGO_BIN_EXE_imitate"));
    command.args(arguments).env("IMITATE_DIR", tool.storage.path()).env("PAGER", pager);
    let mut running = command.stdout(Stdio::from(device)).spawn().unwrap();
    // It has the other end.
    drop(command);
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    // An error is how a terminal says that its other end has been closed.
    while let Ok(length @ 1..) = screen.read(&mut piece) {
        seen.extend_from_slice(&piece[..length]);
    }
    assert!(running.wait().unwrap().success());
    String::from_utf8(seen).unwrap().replace('\r', "")
}

#[test]
fn what_is_long_is_paged_on_a_terminal_only() {
    let tool = Tool::new();
    synthetic::trace(tool.storage.path(), "/bin/reader", true);
    let plain = tool.prints(&["dump"]);
    assert!(!plain.contains("paged"), "stdout is a pipe");
    let paged: String = plain.lines().map(|line| format!("paged: {line}\n")).collect();
    assert_eq!(on_terminal(&tool, "sed 's/^/paged: /'", &["dump"]), paged);
    assert_eq!(on_terminal(&tool, "sed 's/^/paged: /'", &["--no-pager", "dump"]), plain);
    assert_eq!(on_terminal(&tool, "sed 's/^/paged: /'", &["dump", "--no-pager"]), plain);
    assert_eq!(on_terminal(&tool, "", &["dump"]), plain);
    let failed = on_terminal(&tool, "sed 's/^/paged: /'", &["completions", "bash"]);
    assert!(!failed.starts_with("paged"), "what is not to be read is not paged");
}

#[test]
fn colours_and_headings_go_through_the_pager() {
    let tool = Tool::new();
    synthetic::trace(tool.storage.path(), "/bin/reader", true);
    let seen = on_terminal(&tool, "cat -v", &["stats"]);
    assert!(seen.contains("^[[1m"), "{seen}");
}
