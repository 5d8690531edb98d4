//! `ps` and `dump --interleave` with a program of several threads and processes.

use crate::debugger::compile;
use crate::{Place, imitate, text};
use serde_json::Value;

const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
static void *work(void *nothing) {
    prctl(PR_SET_NAME, "worker");
    for (int i = 0; i < 5; i++) { write(1, "worker\n", 7); usleep(100); }
    return nothing;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    for (int i = 0; i < 5; i++) { write(1, "main\n", 5); usleep(100); }
    pthread_join(thread, 0);
    if (fork() == 0) abort();
    int status;
    wait(&status);
    return 3;
}
"#;

#[test]
fn threads_and_children_are_named_with_their_ends_and_shown_as_they_ran() {
    let place = Place::new();
    let program = compile(&place, "program", PROGRAM, &["-pthread"]);
    let recorded = place.record(&[&program]);
    assert_eq!(recorded.status.code(), Some(3), "{}", text(&recorded.stderr));
    let inspect = |arguments: &[&str]| {
        let output = imitate().args(arguments).arg(place.trace()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let rows: Vec<Value> =
        inspect(&["ps", "--json"]).lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let ends: Vec<_> = rows.iter().map(|row| row["ended"].as_str().unwrap()).collect();
    assert_eq!(ends, ["exit 3", "thread ended", "SIGABRT"]);
    assert_eq!((&rows[1]["kind"], &rows[1]["name"]), (&"thread".into(), &"worker".into()));
    assert_eq!(rows[1]["process"], rows[0]["process"]);
    assert_eq!((&rows[2]["kind"], &rows[2]["creator"]), (&"process".into(), &0.into()));
    assert!(inspect(&["ps"]).contains("{worker}"));
    // What was written, in the order in which it was.
    let dump = inspect(&["dump", "--interleave"]);
    let written: String = (dump.lines())
        .filter_map(|line| Some(line.split_once("write(1, \"")?.1.split_once("\\n")?.0.to_owned() + "\n"))
        .collect();
    assert_eq!(written, text(&recorded.stdout));
    assert_eq!(dump.lines().count(), inspect(&["dump"]).lines().count());
    assert_eq!(place.replay().stdout, recorded.stdout);
}
