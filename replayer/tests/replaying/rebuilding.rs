//! Programs that order themselves by atomic operations, in sync order: as they are, and rebuilt by `imitate cc`.

use crate::{FAILED, Place, imitate, text};
use std::path::PathBuf;
use std::process::Output;

/// Two threads share out the values of a counter, after they have waited for each other by spinning.
const RACE: &str = r#"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
static atomic_int ready;
static atomic_ulong counter;
static void *count(void *unused) {
    unsigned long hash = 0;
    ready++;
    while (ready < 2)
        ;
    for (int i = 0; i < 500000; i++)
        hash = hash * 31 + counter++;
    return (void *)hash;
}
int main(void) {
    pthread_t thread;
    void *other;
    pthread_create(&thread, NULL, count, NULL);
    void *own = count(NULL);
    pthread_join(thread, &other);
    printf("%p %p\n", own, other);
    return 0;
}
"#;

/// The same operations, by one thread.
const ALONE: &str = r#"
#include <stdatomic.h>
static atomic_int counter;
int main(void) { return counter++ + atomic_exchange(&counter, 0) - 1; }
"#;

/// The command compiles `source`; gives the program.
fn compile(place: &Place, name: &str, source: &str, mut command: std::process::Command) -> PathBuf {
    let (written, program) = (place.path(&format!("{name}.c")), place.path(name));
    std::fs::write(&written, source).unwrap();
    let output = command.args(["-O1", "-pthread", "-o"]).arg(&program).arg(&written).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    program
}

fn plain(place: &Place, name: &str, source: &str) -> PathBuf {
    compile(place, name, source, std::process::Command::new("cc"))
}

fn rebuilt(place: &Place, name: &str, source: &str, mode: &str) -> PathBuf {
    let mut command = imitate();
    command.args(["cc", "--mode", mode, "--", "cc"]);
    compile(place, name, source, command)
}

/// Records in sync order; what was said.
fn record(place: &Place, program: &PathBuf, options: &[&str]) -> String {
    let trace = place.trace();
    let _ = std::fs::remove_dir_all(&trace);
    let mut command = imitate();
    command.args(["record", "--order", "sync"]).args(options).arg("--output").arg(&trace).arg("--");
    let recorded = command.arg(program).output().unwrap();
    assert!(recorded.status.success(), "{recorded:?}");
    text(&recorded.stderr)
}

/// Verifies a program. What differs is kept, in `place`.
fn verify(place: &Place, program: &PathBuf) -> Output {
    let mut command = imitate();
    command.env("TMPDIR", place.path(""));
    command.args(["verify", "--order", "sync", "-n", "3", "--"]).arg(program).output().unwrap()
}

#[test]
fn what_sync_order_does_not_see_is_said_in_one_line() {
    let place = Place::new();
    let race = plain(&place, "race", RACE);
    let said = record(&place, &race, &[]);
    assert!(said.starts_with("imitate: sync order does not see the inline atomics of race ("), "{said}");
    assert!(
        said.contains("--order serial") && said.contains("imitate cc") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(record(&place, &race, &["--quiet"]), "");
}

#[test]
fn runtimes_that_order_threads_by_themselves_are_named() {
    // As Go's programs have it.
    const GO: &str = r#"
#include <pthread.h>
__attribute__((section(".gopclntab"))) const int table[4] = {1};
static void *begin(void *unused) { return unused; }
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, begin, NULL);
    return pthread_join(thread, NULL);
}
"#;
    const TASKS: &str = r#"
int main(void)
{
    int sum = 0;
    #pragma omp parallel num_threads(2)
    #pragma omp single
    {
        #pragma omp task shared(sum)
        sum++;
    }
    return sum - 1;
}
"#;
    let place = Place::new();
    let built = |name: &str, source: &str, options: &[&str]| {
        PathBuf::from(crate::debugger::compile(&place, name, source, options))
    };
    let go = record(&place, &built("looks_like_go", GO, &["-pthread"]), &[]);
    assert!(go.contains("does not order what runtimes do in looks_like_go (Go's runtime);"), "{go}");
    let tasks = record(&place, &built("tasks", TASKS, &["-fopenmp"]), &[]);
    assert!(tasks.contains("does not order what runtimes do in tasks (OpenMP's GOMP_task);"), "{tasks}");
}

#[test]
fn nothing_is_said_where_all_is_seen_or_there_is_nothing_to_see() {
    let place = Place::new();
    for mode in ["atomics", "all"] {
        assert_eq!(record(&place, &rebuilt(&place, mode, RACE, mode), &[]), "");
    }
    assert_eq!(record(&place, &plain(&place, "alone", ALONE), &[]), "");
}

#[test]
fn verify_tells_whether_sync_order_will_do() {
    let place = Place::new();
    let race = plain(&place, "race", RACE);
    // On a busy machine the threads may come one after the other, in replay too.
    let mut verifications = (0..30).map(|_| verify(&place, &race));
    let differs =
        verifications.find(|verified| verified.status.code() != Some(0)).expect("no race in 30 runs");
    let said = text(&differs.stderr);
    assert_eq!(differs.status.code(), Some(1), "{said}");
    assert!(text(&differs.stdout).contains(" of 3 replays identical"));
    assert!(said.starts_with("imitate: sync order does not see the inline atomics of race ("), "{said}");
    let report = said.split_once("diverged").expect(&said).1;
    assert!(report.contains("record with --order serial"), "{said}");

    let same = verify(&place, &rebuilt(&place, "rebuilt", RACE, "atomics"));
    assert_eq!((same.status.code(), text(&same.stderr)), (Some(0), String::new()));
    assert!(text(&same.stdout).contains("3 of 3 replays identical"));
}

#[test]
fn calls_for_what_is_not_ordered_are_taken_out() {
    const SOURCE: &str = "int main(int count, char **words) { return words[count - 1][0] - *words[0]; }";
    const CALLED: [&str; 4] = ["<__tsan_read", "<__tsan_unaligned", "<__tsan_vptr", "<imitate_nothing"];
    let place = Place::new();
    let calls = |mode| {
        let program = rebuilt(&place, mode, SOURCE, mode);
        let code = std::process::Command::new("objdump").arg("-d").arg(program).output().unwrap();
        let is_one =
            |line: &&str| line.contains("call ") && CALLED.iter().any(|called| line.contains(called));
        text(&code.stdout).lines().filter(is_one).count()
    };
    assert!(calls("all") > 0);
    assert_eq!(calls("atomics"), 0);
    assert!(std::process::Command::new(place.path("atomics")).status().unwrap().success());
}

#[test]
fn a_compiler_that_fails_or_is_none_is_told_from_the_tools_own_failure() {
    let run = |words: &[&str]| {
        let output = imitate().arg("cc").arg("--").args(words).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (status, said) = run(&["gcc", "/no/such/file.c"]);
    assert!(status == Some(1) && said.contains("/no/such/file.c"), "{said}");
    let (status, said) = run(&["tar", "-c"]);
    assert!(status == FAILED && said.contains("tar is no compiler that imitate cc knows"), "{said}");
    let (status, said) = run(&["gcc", "-fsanitize=address", "x.c"]);
    assert!(status == FAILED && said.contains("-fsanitize=address cannot be combined"), "{said}");
    assert_eq!(run(&["gcc", "--version"]).0, Some(0));
}
