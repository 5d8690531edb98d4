//! `diff`.

use crate::debugger::compile;
use crate::{Place, imitate, text};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn record(trace: &Path, options: &[&str], command: &[&str]) -> Output {
    let mut tool = imitate();
    tool.arg("record").args(options).arg("--output").arg(trace).arg("--").args(command).output().unwrap()
}

/// The differences between two traces, and what the exit status says.
fn differences(place: &Place, first: &str, second: &str) -> (Option<i32>, Vec<Value>) {
    let mut tool = imitate();
    let output = tool
        .args(["diff", "--json", "--all"])
        .args([place.path(first), place.path(second)])
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    let rows = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), rows)
}

#[test]
fn runs_that_did_the_same_do_not_differ() {
    let place = Place::new();
    for (name, command, argument) in
        [("one", "date", "+%N"), ("two", "date", "+%N"), ("three", "ls", "/"), ("four", "ls", "/")]
    {
        let recorded = record(&place.path(name), &[], &[command, argument]);
        assert!(recorded.status.success(), "{}", text(&recorded.stderr));
    }
    assert_eq!(differences(&place, "one", "one"), (Some(0), Vec::new()));
    assert_eq!(differences(&place, "three", "four"), (Some(0), Vec::new()));
    // date writes another time.
    let (status, rows) = differences(&place, "one", "two");
    assert_eq!((status, rows.len(), &rows[0]["aspect"]), (Some(1), 1, &"data-written".into()), "{rows:#?}");
    assert!(rows[0]["first"]["who"].as_str().unwrap().ends_with("date"), "{rows:#?}");
}

#[test]
fn other_data_and_results_are_found_where_they_first_matter() {
    let place = Place::new();
    let input = place.path("input");
    let script =
        format!("read line < {}; case $line in a*) echo yes;; *) echo no; false;; esac", input.display());
    for (name, line) in [("one", "apple\n"), ("two", "berry\n")] {
        std::fs::write(&input, line).unwrap();
        record(&place.path(name), &[], &["sh", "-c", &script]);
    }
    let (status, rows) = differences(&place, "one", "two");
    assert_eq!(status, Some(1));
    assert_eq!(rows[0]["aspect"], "data-read");
    let first = rows[0]["first"]["event"].as_str().unwrap();
    assert!(first.contains("read(0, \"a"), "{first}");
    assert_eq!(rows[0]["first"]["place"], rows[0]["second"]["place"]);
    std::fs::remove_file(&input).unwrap();
    record(&place.path("three"), &[], &["sh", "-c", &script]);
    let (_, rows) = differences(&place, "one", "three");
    assert_eq!(rows[0]["aspect"], "result");
    let second = rows[0]["second"]["event"].as_str().unwrap();
    assert!(second.contains("ENOENT"), "{second}");
}

/// Fails if the thread comes too late.
const RACE: &str = "
#include <pthread.h>
#include <unistd.h>
static int ready;
static void *work(void *nothing) { getppid(); ready = 1; return nothing; }
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    getppid();
    if (!ready) return 1;
    pthread_join(thread, 0);
    return 0;
}
";

#[test]
fn the_hand_over_that_made_the_difference_comes_first() {
    let place = Place::new();
    let program = compile(&place, "race", RACE, &["-pthread"]);
    let mut seen = [false; 2];
    for seed in 1..1000 {
        let (chaos, attempt) = (format!("--chaos={seed}"), place.path("attempt"));
        let recorded = record(&attempt, &["--quiet", &chaos], &[&program]);
        let status = recorded.status.code().unwrap() as usize;
        if seen[status] {
            std::fs::remove_dir_all(&attempt).unwrap();
        } else {
            std::fs::rename(&attempt, place.path(["passes", "fails"][status])).unwrap();
            seen[status] = true;
        }
        if seen == [true; 2] {
            break;
        }
    }
    assert_eq!(seen, [true; 2], "it both fails and passes");
    let (status, rows) = differences(&place, "passes", "fails");
    assert_eq!(status, Some(1));
    assert_eq!(rows[0]["aspect"], "hand-over");
    assert_ne!(rows[0]["first"]["who"], rows[0]["second"]["who"]);
    let output = imitate().arg("diff").args([place.path("passes"), place.path("fails")]).output().unwrap();
    assert!(text(&output.stdout).starts_with("other threads ran\n"), "{}", text(&output.stdout));
}
