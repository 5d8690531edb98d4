//! `replay --gdb`.

use crate::document::Exchange;
use crate::{Place, imitate, text};
use std::io::{Read, Write};
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

/// Compiles a program in C; gives its path.
pub fn compile(place: &Place, name: &str, code: &str, options: &[&str]) -> String {
    let (source, program) = (format!("{name}.c"), place.path(name));
    std::fs::write(place.path(&source), code).unwrap();
    let mut compiler = Command::new("gcc");
    // gdb shows the name that the compiler was given.
    compiler.current_dir(place.path("")).arg("-g").args(options).arg("-o").arg(&program).arg(&source);
    assert!(compiler.status().unwrap().success());
    program.to_str().unwrap().to_owned()
}

/// What gdb answers to each of some commands.
pub fn session<'a>(trace: &Path, options: &[&str], commands: impl Iterator<Item = &'a str>) -> Vec<String> {
    const END: &str = "=== end of answer ===";
    let commands: Vec<_> = commands.collect();
    let script: String = commands.iter().map(|command| format!("{command}\necho {END}\\n\n")).collect();
    let printed = run(trace, options, &[], &format!("{script}quit\n"));
    let answers: Vec<_> = printed.split(END).map(str::to_owned).collect();
    // One that is missing would be one that is not looked at. What `quit` says is behind the last.
    assert_eq!(answers.len(), commands.len() + 1, "gdb has ended early:\n{printed}");
    answers
}

/// gdb answers what a document says.
pub fn assert_session(trace: &Path, exchanges: &[Exchange]) {
    let commands = exchanges.iter().map(|exchange| exchange.command.as_str());
    let answers = session(trace, &["--gdb"], commands);
    exchanges.iter().zip(&answers).for_each(|(exchange, answer)| exchange.assert_answered_by(answer));
}

/// What gdb prints when it is told `commands`.
fn debug(place: &Place, commands: &str) -> String {
    run(&place.trace(), &["--gdb"], &[], commands)
}

/// What `imitate replay` prints that gets these options, and gdb these arguments, and `commands` as input.
pub fn run(trace: &Path, options: &[&str], arguments: &[&str], commands: &str) -> String {
    let (mut printed, outputs) = std::io::pipe().unwrap();
    let mut command = imitate();
    command.arg("replay").args(options).arg(trace).arg("--").args(arguments);
    command.env_remove("DEBUGINFOD_URLS").stdin(Stdio::piped());
    command.stdout(outputs.try_clone().unwrap()).stderr(outputs);
    let mut gdb = command.spawn().unwrap();
    // It has the other ends of the pipe.
    drop(command);
    gdb.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let mut all = Vec::new();
    printed.read_to_end(&mut all).unwrap();
    gdb.wait().unwrap();
    let all = text(&all);
    // Shown if the test fails: an answer alone does not say why gdb has no program, for one.
    eprintln!("{all}");
    all
}

/// Lines without the process id of the moment.
fn without_process_ids(session: &str) -> Vec<&str> {
    session.lines().filter(|line| !line.contains("(process ")).collect()
}

#[test]
fn it_stops_at_main_and_is_the_same_every_time() {
    let place = Place::new();
    let program = compile(&place, "program", PROGRAM, &["-O0"]);
    let recorded = place.record(&[&program, "one", "two"]);
    assert_eq!(recorded.status.code(), Some(4), "{}", text(&recorded.stderr));
    let commands =
        "print words[1]\nbreak twice\ncontinue\nprint value\nprint &value\nbacktrace\ncontinue\nquit\n";
    let session = debug(&place, commands);
    for words in [
        "Temporary breakpoint 4, main (count=3, words=",
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

/// Has one thread first.
const STREAMS: &str = r#"
#include <pthread.h>
#include <stdio.h>

static void *work(void *unused)
{
    for (int round = 0; round < 100; round++)
        fputc('.', stdout);
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    fputc('(', stdout);
    for (int number = 0; number < 2; number++)
        pthread_create(&threads[number], NULL, work, NULL);
    for (int number = 0; number < 2; number++)
        pthread_join(threads[number], NULL);
    fputc(')', stdout);
    return 0;
}
"#;

/// What encloses a function in sync order is put in its first bytes, where breakpoints are.
#[test]
fn breakpoints_may_be_in_libc_before_there_are_threads() {
    let place = Place::new();
    let program = compile(&place, "program", STREAMS, &["-pthread"]);
    let recorded = place.record_with(&["--order", "sync"], &[&program]);
    assert!(recorded.status.success(), "{}", text(&recorded.stderr));
    let session =
        debug(&place, "break *fputc\nignore 5 150\ncontinue\ninfo breakpoints\ndelete\ncontinue\nquit\n");
    for words in ["breakpoint already hit 151 times", &text(&recorded.stdout), "exited normally"] {
        assert!(session.contains(words), "{words} is not in:\n{session}");
    }
}
