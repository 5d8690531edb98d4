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
fn a_program_that_cannot_be_recorded_is_the_tools_failure() {
    let verified = imitate().args(["verify", "--", "/etc/passwd"]).output().unwrap();
    assert_eq!(verified.status.code(), FAILED);
    assert!(text(&verified.stderr).contains("/etc/passwd"));
    assert_eq!(text(&verified.stdout), "");
}
