//! `replay --gdb`.

use crate::{Place, imitate, text};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Reads the time stamp counter (which traps, and must not stop the debugger) and then works with the result.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static long twice(long value) { return value * 2; }

int main(int count, char **words)
{
    long sum = count + 20;
    unsigned long long ticks = __rdtsc();
    long total = twice(sum);
    printf("%ld %d %lld\n", total, ticks != 0, (long long)time(NULL));
    return 4;
}
"#;

fn compile(directory: &Path) -> String {
    let (source, program) = (directory.join("program.c"), directory.join("program"));
    std::fs::write(&source, PROGRAM).unwrap();
    let compiled = Command::new("gcc").args(["-g", "-O0", "-o"]).arg(&program).arg(&source).status().unwrap();
    assert!(compiled.success());
    program.to_str().unwrap().to_owned()
}

/// What gdb prints when it is told `commands`.
fn debug(place: &Place, commands: &str) -> String {
    let mut gdb = imitate()
        .args(["replay", "--gdb"])
        .arg(place.trace())
        .env_remove("DEBUGINFOD_URLS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    gdb.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let output = gdb.wait_with_output().unwrap();
    text(&output.stdout) + &text(&output.stderr)
}

/// Lines without the process id of the moment.
fn without_process_ids(session: &str) -> Vec<&str> {
    session.lines().filter(|line| !line.contains("(process ")).collect()
}

#[test]
fn it_stops_at_main_and_is_the_same_every_time() {
    let place = Place::new();
    let program = compile(&place.path(""));
    let recorded = place.record(&[&program, "one", "two"]);
    assert_eq!(recorded.status.code(), Some(4), "{}", text(&recorded.stderr));
    let commands =
        "print words[1]\nbreak twice\ncontinue\nprint value\nprint &value\nbacktrace\ncontinue\nquit\n";
    let session = debug(&place, commands);
    for words in [
        "Breakpoint 3, main (count=3, words=",
        "\"one\"",
        "twice (value=23)",
        "$2 = 23",
        "#1  ",
        text(&recorded.stdout).trim_end(),
        "exited with code 04",
    ] {
        assert!(session.contains(words), "{words} is not in:\n{session}");
    }
    for noise in ["SIGSEGV", "SIGSYS", "SIGTRAP", "Catchpoint"] {
        assert!(!session.contains(noise), "{noise} is in:\n{session}");
    }
    assert_eq!(without_process_ids(&debug(&place, commands)), without_process_ids(&session));
}

#[test]
fn a_stripped_program_stops_at_main_too() {
    let place = Place::new();
    let recorded = place.record(&["date", "+%N"]);
    let session = debug(&place, "backtrace\ncontinue\nquit\n");
    for words in ["__libc_start_call_main", text(&recorded.stdout).trim_end(), "exited normally"] {
        assert!(session.contains(words), "{words} is not in:\n{session}");
    }
}
