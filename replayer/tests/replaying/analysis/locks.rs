//! `locks` and `deadlocks`.

use super::record_program;
use crate::{Place, imitate, text};
use serde_json::Value;
use std::process::Command;

/// Does with locks what its arguments say. `deadlock` ends when both threads wait for each other: glibc marks a mutex that
/// somebody waits for with a 2.
const PROGRAM: &str = r#"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER, queue = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static int strikes, gated, items;
static void take(pthread_mutex_t *one, pthread_mutex_t *other) {
    if (gated) pthread_mutex_lock(&gate);
    pthread_mutex_lock(one);
    if (strikes) pthread_barrier_wait(&barrier);
    pthread_mutex_lock(other);
    pthread_mutex_unlock(other);
    pthread_mutex_unlock(one);
    if (gated) pthread_mutex_unlock(&gate);
}
static void *forwards(void *nothing) { take(&first, &second); return nothing; }
static void *backwards(void *nothing) { take(&second, &first); return nothing; }
static void *consume(void *nothing) {
    pthread_mutex_lock(&queue);
    while (items == 0) pthread_cond_wait(&filled, &queue);
    items--;
    pthread_mutex_unlock(&queue);
    pthread_rwlock_rdlock(&table);
    pthread_rwlock_unlock(&table);
    sem_post(&semaphore);
    return nothing;
}
static int waited_for(pthread_mutex_t *mutex) { return *(volatile int *)mutex == 2; }
int main(int count, char **arguments) {
    const char *what = arguments[1];
    pthread_t threads[2];
    pthread_barrier_init(&barrier, 0, 2);
    sem_init(&semaphore, 0, 0);
    strikes = !strcmp(what, "deadlock");
    gated = !strcmp(what, "gate");
    if (!strcmp(what, "queue")) {
        pthread_mutexattr_t again;
        pthread_mutexattr_init(&again);
        pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
        pthread_mutex_t nested;
        pthread_mutex_init(&nested, &again);
        for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, consume, 0);
        for (int i = 0; i < 100; i++) {
            pthread_mutex_lock(&nested); pthread_mutex_lock(&nested);
            pthread_mutex_unlock(&nested); pthread_mutex_unlock(&nested);
        }
        pthread_rwlock_wrlock(&table);
        pthread_mutex_lock(&queue);
        items = 2;
        pthread_cond_broadcast(&filled);
        pthread_mutex_unlock(&queue);
        pthread_rwlock_unlock(&table);
        for (int i = 0; i < 2; i++) sem_wait(&semaphore);
    } else if (!strcmp(what, "self")) {
        pthread_create(&threads[0], 0, forwards, 0);
        pthread_join(threads[0], 0);
        pthread_create(&threads[0], 0, backwards, 0);
        pthread_join(threads[0], 0);
        return 0;
    } else {
        pthread_create(&threads[0], 0, forwards, 0);
        pthread_create(&threads[1], 0, backwards, 0);
    }
    while (strikes) {
        if (waited_for(&first) && waited_for(&second)) exit(7);
        sched_yield();
    }
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    return 0;
}
"#;

/// Records it in `place`.
fn record(place: &Place, options: &[&str], what: &str, status: i32) {
    record_program(place, PROGRAM, options, &[what], status);
}

/// What `deadlocks` finds, and its status.
fn deadlocks(place: &Place) -> (Option<i32>, Vec<Value>) {
    let output = imitate().args(["deadlocks", "--json"]).arg(place.trace()).output().unwrap();
    assert_eq!(text(&output.stderr), "");
    let found = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), found)
}

/// The fields of the threads of a finding.
fn of<'a>(finding: &'a Value, field: &str) -> Vec<&'a str> {
    let threads = finding["threads"].as_array().unwrap().iter();
    let mut all: Vec<&str> = threads.map(|thread| thread[field].as_str().unwrap()).collect();
    all.sort();
    all
}

const ORDERS: [&[&str]; 3] = [&[], &["--quiet", "--chaos=5"], &["--order", "sync"]];

#[test]
fn an_inversion_that_did_not_strike_is_found_in_every_order() {
    for options in ORDERS {
        let place = Place::new();
        record(&place, options, "inversion", 0);
        let (status, found) = deadlocks(&place);
        assert_eq!((status, found.len()), (Some(1), 1), "{options:?}: {found:?}");
        assert_eq!(found[0]["kind"], "inversion");
        assert_eq!(of(&found[0], "held"), ["first", "second"]);
        assert_eq!(of(&found[0], "taken"), ["first", "second"]);
        assert!(of(&found[0], "site").iter().all(|site| site.starts_with("take at program.c:")), "{found:?}");
    }
}

#[test]
fn threads_that_wait_for_each_other_are_found_with_what_they_have() {
    for options in [ORDERS[0], ORDERS[1]] {
        let place = Place::new();
        record(&place, options, "deadlock", 7);
        let (status, found) = deadlocks(&place);
        assert_eq!((status, found.len()), (Some(1), 1), "{options:?}: {found:?}");
        assert_eq!(found[0]["kind"], "deadlock");
        assert_eq!(of(&found[0], "object"), ["first", "second"]);
        assert!(of(&found[0], "site").iter().all(|site| site.starts_with("take at program.c:")), "{found:?}");
        let threads = found[0]["threads"].as_array().unwrap();
        assert_eq!(threads[0]["held_by"][0], threads[1]["thread"]);
        assert_eq!(threads[1]["held_by"][0], threads[0]["thread"]);
        let told = imitate().arg("deadlocks").arg(place.trace()).output().unwrap();
        assert!(
            text(&told.stdout).starts_with("deadlock: threads wait for each other"),
            "{}",
            text(&told.stdout)
        );
    }
}

#[test]
fn programs_that_cannot_deadlock_give_no_report() {
    for options in ORDERS {
        for what in ["gate", "queue", "self"] {
            let place = Place::new();
            record(&place, options, what, 0);
            assert_eq!(deadlocks(&place), (Some(0), vec![]), "{options:?} {what}");
        }
    }
}

#[test]
fn attempts_count_if_asked_for() {
    let place = Place::new();
    let program = place.path("program");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/programs/races/lock_order.c");
    assert!(
        Command::new("cc").args(["-g", "-pthread", source, "-o"]).arg(&program).status().unwrap().success()
    );
    assert!(place.record(&[program.to_str().unwrap()]).status.success());
    assert_eq!(deadlocks(&place), (Some(0), vec![]), "pthread_mutex_trylock never waits");
    let tries = imitate().args(["deadlocks", "--tries"]).arg(place.trace()).output().unwrap();
    assert_eq!(tries.status.code(), Some(1));
    assert!(text(&tries.stdout).starts_with("inversion:"), "{}", text(&tries.stdout));
}

#[test]
fn locks_are_counted_by_object_and_by_site() {
    for options in ORDERS {
        let place = Place::new();
        record(&place, options, "queue", 0);
        let output = imitate().args(["locks", "--json"]).arg(place.trace()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let number = |row: &Value, field: &str| row[field].as_u64().unwrap();
        let row = |list: &str, name: &str, sort: &str| {
            let rows = report[list].as_array().unwrap();
            let found = rows
                .iter()
                .find(|row| row["name"].as_str().unwrap().starts_with(name) && row["sort"] == sort);
            found.unwrap_or_else(|| panic!("{options:?}: no {sort} {name} in {report:#}")).clone()
        };
        let queue = row("objects", "queue", "mutex");
        // One of main's, and of each consumer one and another after each wait.
        let waits = report["objects"].as_array().unwrap().iter().find(|row| row["name"] == "filled");
        let waits = waits.map_or(0, |row| number(row, "taken"));
        assert_eq!(number(&queue, "taken"), 3 + waits, "{options:?}: {report:#}");
        assert_eq!(queue["threads"].as_array().unwrap().len(), 3);
        assert!(number(&queue, "hold_ns") >= number(&queue, "longest_hold_ns"));
        assert_eq!(number(&row("objects", "table", "read-write-lock"), "taken"), 3);
        assert_eq!(number(&row("objects", "semaphore", "semaphore"), "taken"), 2);
        let consumed = row("sites", "consume at program.c:", "read-write-lock");
        assert_eq!(number(&consumed, "taken"), 2);
    }
}

#[test]
fn waits_are_told_with_their_times() {
    let place = Place::new();
    record(&place, &[], "deadlock", 7);
    let output = imitate().args(["locks", "--json"]).arg(place.trace()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["objects"].as_array().unwrap();
    let barrier = rows.iter().find(|row| row["name"] == "barrier").unwrap();
    assert_eq!(barrier["taken"], 2);
    assert_eq!(barrier["waited"], 1, "the second to come waits for nobody");
    assert!(barrier["wait_ns"].as_u64().unwrap() > 0);
    let output = imitate().args(["locks", "--by", "site", "-n", "2"]).arg(place.trace()).output().unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 3, "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("take at program.c:"));
}
