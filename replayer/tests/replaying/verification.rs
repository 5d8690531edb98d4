//! `verify` with real programs.

use crate::{FAILED, Place, imitate, text};

#[test]
fn identical_replays_give_one_line_and_status_0() {
    let place = Place::new();
    let input = place.path("input");
    std::fs::write(&input, "contents\n").unwrap();
    let input = input.to_str().unwrap();
    let verified = imitate()
        .args(["verify", "-n", "3", "-j", "2", "--delete", input, "--", "cat", input])
        .output()
        .unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
    assert_eq!(text(&verified.stdout), "cat: 3 of 3 replays identical (exit 0, 9 B of output)\n");
    assert_eq!(text(&verified.stderr), "");
    assert!(!place.path("input").exists());
}

#[test]
fn what_the_recording_says_is_not_taken_for_output() {
    let program = "import ctypes, sys; ctypes.CDLL(None).ptrace(0, 0, 0, 0); print('done', file=sys.stderr)";
    let verified = imitate().args(["verify", "-n", "2", "--", "python3", "-c", program]).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
    assert_eq!(text(&verified.stdout), "python3: 2 of 2 replays identical (exit 0, 5 B of output)\n");
    assert!(
        text(&verified.stderr).starts_with("imitate: the program called ptrace"),
        "{}",
        text(&verified.stderr)
    );
}

#[test]
fn a_program_that_cannot_be_recorded_is_the_tools_failure() {
    let verified = imitate().args(["verify", "--", "/etc/passwd"]).output().unwrap();
    assert_eq!(verified.status.code(), FAILED);
    assert!(text(&verified.stderr).contains("/etc/passwd"));
    assert_eq!(text(&verified.stdout), "");
}
