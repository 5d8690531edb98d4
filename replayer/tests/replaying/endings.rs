//! How the tool ends, and what it leaves behind.

use crate::{FAILED, Place, altered, imitate, text};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_fatal_signal_is_repeated() {
    for signal in [libc::SIGTERM, libc::SIGABRT, libc::SIGSEGV] {
        let place = Place::new();
        let recorded = place.record(&["sh", "-c", &format!("echo out; kill -{signal} $$")]);
        assert_eq!(recorded.status.signal(), Some(signal), "{}", text(&recorded.stderr));
        let replayed = place.replay();
        assert_eq!(replayed.status.signal(), Some(signal), "{}", text(&replayed.stderr));
        assert_eq!(replayed.stdout, b"out\n");
        assert!(!replayed.status.core_dumped(), "the tool's own core dump would replace the program's");
    }
}

#[test]
fn a_trace_that_ends_early_is_replayed_up_to_there() {
    for (exits, fails) in [(0, 125), (125, 124)] {
        let place = Place::new();
        let recorded = place.record(&["sh", "-c", &format!("echo one; exit {exits}")]);
        assert_eq!(recorded.status.code(), Some(exits));
        altered::cut(&place.trace(), 1);
        let replayed = place.replay();
        assert_eq!(text(&replayed.stdout), "one\n");
        assert!(text(&replayed.stderr).contains("the recording ends here"), "{}", text(&replayed.stderr));
        assert_eq!(replayed.status.code(), Some(fails));
    }
}

#[test]
fn a_program_that_has_changed_or_gone_is_replayed_from_the_trace() {
    let place = Place::new();
    let program = place.path("date");
    std::fs::copy("/bin/date", &program).unwrap();
    let recorded = place.record(&[program.to_str().unwrap(), "+%N"]);
    assert!(recorded.status.success());
    let replay = || {
        let replayed = place.replay();
        assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stderr));
        assert_eq!(text(&replayed.stdout), text(&recorded.stdout));
    };
    std::fs::copy("/bin/true", &program).unwrap();
    replay();
    std::fs::remove_file(&program).unwrap();
    replay();
}

/// Records a program that `goes` after it was executed, and before the library can look at it.
fn assert_replayed_from_the_trace(goes: impl FnOnce(&Path)) {
    let place = Place::new();
    let (program, pipe) = (place.path("sh"), place.path("pipe"));
    std::fs::copy("/bin/sh", &program).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = imitate();
    // The dynamic linker waits at the pipe, which is no library and is then ignored: in the tool, and in the program.
    command.env("LD_PRELOAD", &pipe).stdout(Stdio::piped());
    command.arg("record").arg("--output").arg(place.trace()).arg("--").arg(&program);
    let tool = command.args(["-c", "trap 'echo trapped' TERM; kill $$"]).spawn().unwrap();
    let let_one_go_on = || drop(File::create(&pipe).unwrap());
    let_one_go_on();
    while !place.trace().exists() {
        std::thread::yield_now();
    }
    let writer = File::create(&pipe).unwrap();
    goes(&program);
    drop(writer);
    let recorded = tool.wait_with_output().unwrap();
    assert_eq!((recorded.status.code(), text(&recorded.stdout)), (Some(0), "trapped\n".to_owned()));
    std::thread::scope(|scope| {
        scope.spawn(let_one_go_on);
        let replayed = place.replay();
        assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stderr));
        assert_eq!(replayed.stdout, recorded.stdout);
    });
}

#[test]
fn a_program_that_goes_before_the_library_looks_is_replayed_from_the_trace() {
    assert_replayed_from_the_trace(|program| std::fs::remove_file(program).unwrap());
}

#[test]
fn a_program_that_is_renamed_before_the_library_looks_is_replayed_from_the_trace() {
    assert_replayed_from_the_trace(|program| {
        std::fs::rename(program, program.with_file_name("another name for it")).unwrap();
    });
}

#[test]
fn a_library_that_has_changed_is_refused() {
    let place = Place::new();
    let library = place.path("library.so");
    std::fs::copy("/lib/x86_64-linux-gnu/libm.so.6", &library).unwrap();
    let preload = format!("LD_PRELOAD={}", library.display());
    let recorded = place.record(&["env", &preload, "sh", "-c", "echo recorded"]);
    assert_eq!(text(&recorded.stdout), "recorded\n", "{}", text(&recorded.stderr));
    std::fs::write(&library, "").unwrap();
    let replayed = place.replay();
    assert_eq!(replayed.status.code(), FAILED);
    assert_eq!(text(&replayed.stdout), "");
    assert!(text(&replayed.stderr).contains("is not the file that the recorded program ran"));
}

#[test]
fn a_replay_says_whose_output_is_missing() {
    // Statically linked in Debian.
    const UNRECORDED: &str = "/sbin/ldconfig";
    let place = Place::new();
    let recorded = place.record(&["sh", "-c", &format!("echo before; {UNRECORDED} -V; echo after")]);
    assert!(text(&recorded.stderr).contains("runs unrecorded"), "{}", text(&recorded.stderr));
    let replayed = place.replay();
    assert_eq!((replayed.status.code(), text(&replayed.stdout)), (Some(0), "before\nafter\n".to_owned()));
    let said = text(&replayed.stderr);
    assert!(said.contains(UNRECORDED) && said.contains("missing from this replay"), "{said}");
}

#[test]
fn commands_that_do_not_run_end_as_in_a_shell_and_leave_no_trace() {
    for (command, status) in [("no-such-program-anywhere", 127), ("/no/such/file", 127), ("/etc/passwd", 126)]
    {
        let place = Place::new();
        let recorded = place.record(&[command]);
        assert_eq!(recorded.status.code(), Some(status), "{command}");
        assert!(text(&recorded.stderr).contains(command));
        assert!(!place.trace().exists());
    }
}

#[test]
fn an_existing_directory_is_not_overwritten() {
    let place = Place::new();
    assert!(place.record(&["date"]).status.success());
    let again = place.record(&["date"]);
    assert_eq!(again.status.code(), FAILED);
    assert_eq!(text(&again.stdout), "", "the program must not run if it cannot be recorded");
    assert!(text(&again.stderr).contains(place.trace().to_str().unwrap()));
    assert!(place.replay().status.success(), "the first trace must be as it was");
}

/// Records a shell that handles `signal`, sends that to the tool (or to its whole process group, as a terminal
/// does), and sees the program handle it, in the recording and in the replay.
fn assert_program_handles(signal: i32, name: &str, to_group: bool) {
    let place = Place::new();
    let script =
        format!("trap 'echo caught; exit 7' {name}; echo ready; while :; do read line || exit 8; done");
    let mut command = imitate();
    command.arg("record").arg("--output").arg(place.trace()).args(["--", "sh", "-c", &script]);
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut tool = command.spawn().unwrap();
    let stdin = tool.stdin.take();
    let mut lines = BufReader::new(tool.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let id = tool.id() as i32;
    // SAFETY: a signal to a child that has not been waited for, or to its own process group.
    unsafe { libc::kill(if to_group { -id } else { id }, signal) };
    assert_eq!(lines.next().unwrap().unwrap(), "caught");
    assert_eq!(tool.wait().unwrap().code(), Some(7));
    drop(stdin);
    let replayed = place.replay();
    assert_eq!((replayed.status.code(), text(&replayed.stdout)), (Some(7), "ready\ncaught\n".to_owned()));
}

#[test]
fn a_signal_to_the_tool_is_the_programs() {
    assert_program_handles(libc::SIGTERM, "TERM", false);
    assert_program_handles(libc::SIGHUP, "HUP", false);
}

#[test]
fn an_interrupt_from_the_terminal_is_the_programs_and_the_tool_waits() {
    assert_program_handles(libc::SIGINT, "INT", true);
    assert_program_handles(libc::SIGQUIT, "QUIT", true);
}

#[test]
fn several_replays_of_one_trace_run_at_once() {
    let place = Place::new();
    let recorded = place.record(&["date", "+%N"]);
    let replays: Vec<_> = (0..4)
        .map(|_| {
            let mut command = imitate();
            command.arg("replay").arg(place.trace()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for replay in replays {
        let replayed = replay.wait_with_output().unwrap();
        assert_eq!((replayed.status.code(), &replayed.stdout), (Some(0), &recorded.stdout));
    }
}

#[test]
fn a_replay_that_is_asked_to_end_ends_with_all_its_processes() {
    let place = Place::new();
    // What computes does not see that its parent has gone.
    let compute = "(i=0; while ((i < 400000)); do ((++i)); done; echo computed) & echo begun; wait";
    assert!(place.record(&["bash", "-c", compute]).status.success());
    let mut command = imitate();
    let mut tool = command.arg("replay").arg(place.trace()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tool.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "begun");
    // SAFETY: a signal to a child that has not been waited for.
    unsafe { libc::kill(tool.id() as i32, libc::SIGTERM) };
    // The end of the output is the end of all who could write it.
    assert!(lines.next().is_none());
    assert_eq!(tool.wait().unwrap().signal(), Some(libc::SIGTERM));
}
