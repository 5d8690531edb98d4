//! The harness itself: it accepts a faithful replay and notices every way in which one can be wrong. Shell scripts
//! play the tool.

use examples::case::{Case, Keys, debian, script};
use examples::proof::prove;
use examples::settings::Settings;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// `record` runs the command and keeps what it wrote and how it ended.
const RECORD: &str = r#"#!/bin/bash
subcommand=$1; trace=${!#}
if [ "$subcommand" = record ]; then
    trace=$3; shift 4; mkdir "$trace"
    "$@" > >(tee "$trace/stdout") 2> >(tee "$trace/stderr" >&2); status=$?
    echo $status >"$trace/status"; wait; exit $status
fi
"#;

/// What `replay` has to do.
const FAITHFUL: &str = r#"cat "$trace/stdout"; cat "$trace/stderr" >&2; exit "$(cat "$trace/status")""#;

/// Proves `case` with a tool whose `replay` is the script `replay`; gives what the harness complains of.
fn complaint(case: &Case, replay: &str) -> Option<String> {
    let directory = TempDir::new().unwrap();
    let tool = directory.path().join("imitate");
    fs::write(&tool, format!("{RECORD}{replay}\n")).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o700)).unwrap();
    let settings = Settings {
        tool,
        replays: 2,
        patience: Duration::from_secs(60),
        under_load: false,
        native_only: false,
    };
    let error = prove(case, &settings).err()?;
    let complaint: Vec<String> = error.chain().map(ToString::to_string).collect();
    if let Some(kept) = complaint[0].split(" is kept in ").nth(1) {
        fs::remove_dir_all(Path::new(kept.trim())).unwrap();
    }
    Some(complaint.join("\n"))
}

fn varying() -> Case {
    script("varying", "date +%s.%N; date +%s.%N >&2; exit 3").exits(3).varies()
}

#[test]
fn a_faithful_replay_is_accepted() {
    assert_eq!(complaint(&varying(), FAITHFUL), None);
}

#[test]
fn running_the_program_again_is_no_replay() {
    let complaint = complaint(&varying(), "date +%s.%N; cat \"$trace/stderr\" >&2; exit 3").unwrap();
    assert!(complaint.contains("replay 1 of 2 is not the recorded run"), "{complaint}");
    assert!(complaint.contains("stdout: expected"), "{complaint}");
    assert!(!complaint.contains("stderr: expected"), "{complaint}");
}

#[test]
fn another_exit_status_is_noticed() {
    let complaint = complaint(&varying(), &FAITHFUL.replace("exit ", "exit 1 # ")).unwrap();
    assert!(complaint.contains("end: expected exit status 3, got exit status 1"), "{complaint}");
}

#[test]
fn a_replay_that_makes_files_is_noticed() {
    let complaint = complaint(&varying(), &format!("touch trail; {FAITHFUL}")).unwrap();
    assert!(complaint.contains("has made files"), "{complaint}");
}

#[test]
fn a_recording_that_the_program_can_see_is_noticed() {
    let case = script("sees", "if [ -e ../trace ]; then echo recorded; else echo alone; fi").steady();
    let complaint = complaint(&case, FAITHFUL).unwrap();
    assert!(complaint.contains("it does not do what it does natively"), "{complaint}");
}

#[test]
fn output_that_does_not_vary_proves_nothing() {
    let complaint = complaint(&debian("coreutils", "echo always").varies(), FAITHFUL).unwrap();
    assert!(complaint.contains("printed the same in two runs"), "{complaint}");
}

#[test]
fn inputs_are_gone_when_it_is_replayed() {
    let case = debian("coreutils", "cat input")
        .prepared(|directory| fs::write(directory.join("input"), "words"))
        .steady();
    assert_eq!(complaint(&case, FAITHFUL), None);
    let complaint = complaint(&case, "cat ../work/input").unwrap();
    assert!(complaint.contains("No such file or directory"), "{complaint}");
}

#[test]
fn a_missing_program_names_its_package() {
    let complaint = complaint(&debian("some-package", "no-such-program"), FAITHFUL).unwrap();
    assert!(complaint.contains("apt-get install some-package"), "{complaint}");
}

#[test]
fn keys_are_typed_when_their_cue_appears() {
    let case = script("asks", "read -p 'first? ' a; read -p 'second? ' b; echo $b before $a")
        .typing(&[Keys { after: "first? ", typed: "one\n" }, Keys { after: "second? ", typed: "two\n" }]);
    let complaint = complaint(&case, "echo two before").unwrap();
    assert!(complaint.contains("two before one"), "{complaint}");
}
