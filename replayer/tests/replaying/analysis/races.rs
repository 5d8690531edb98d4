//! `races`: those that were planted, and none in programs that have none.

use crate::debugger::compile;
use crate::{FAILED, Place, imitate, text};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

/// Has one race for each word that it is given, in a function of that name; without one it has none, although it does the
/// same with something that orders the threads.
const PROGRAM: &str = r#"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t ready;
static const char *planted;
static long counter, late, halves[2], guarded, shared_by_spin, from_once, posted, handled;
static char name[64];
static atomic_long tickets;
static long *box;

static int is(const char *what) { return planted && !strcmp(planted, what); }

static void count(void)
{
    if (!is("count")) pthread_mutex_lock(&lock);
    counter++;
    if (!is("count")) pthread_mutex_unlock(&lock);
}

static void copy(long me)
{
    char own[64];
    memset(own, 'a' + me, sizeof own);
    if (!is("copy")) pthread_mutex_lock(&lock);
    memcpy(name, own, is("nothing") ? 1 : sizeof name);
    if (!is("copy")) pthread_mutex_unlock(&lock);
}

static void look(void)
{
    if (pthread_rwlock_tryrdlock(&table)) pthread_rwlock_rdlock(&table);
    if (guarded < 0) abort();
    if (is("look")) guarded++;
    pthread_rwlock_unlock(&table);
    if (is("look")) return;
    pthread_rwlock_wrlock(&table);
    guarded++;
    pthread_rwlock_unlock(&table);
}

static void initialise(void) { from_once = 1; }
static void handle(int signal) { handled++; }

static void *work(void *argument)
{
    long me = (long)argument;
    pthread_once(&once, initialise);
    if (from_once != 1) abort();
    for (int round = 0; round < 20; round++) {
        count();
        copy(me);
        look();
        halves[me]++;
        pthread_spin_lock(&spin);
        shared_by_spin++;
        pthread_spin_unlock(&spin);
        tickets++;
        // Blocks go from one thread to the other.
        free(atomic_exchange((_Atomic(long *) *)&box, calloc(4, sizeof(long))));
        pthread_barrier_wait(&barrier);
        if (round % 2 == me) posted++;
        pthread_barrier_wait(&barrier);
    }
    if (me == 0) {
        late = 1;
        sem_post(&ready);
    } else {
        if (!is("late")) sem_wait(&ready);
        if (late > 1) abort();
    }
    return NULL;
}

int main(int words, char **arguments)
{
    planted = words > 1 ? arguments[1] : NULL;
    pthread_t threads[2];
    sem_init(&ready, 0, 0), pthread_spin_init(&spin, 0), pthread_barrier_init(&barrier, NULL, 2);
    signal(SIGUSR1, handle);
    for (long me = 0; me < 2; me++) pthread_create(&threads[me], NULL, work, (void *)me);
    kill(getpid(), SIGUSR1);
    for (long me = 0; me < 2; me++) pthread_join(threads[me], NULL);
    printf("%ld %ld %ld\n", counter, tickets, halves[0] + halves[1]);
    return 0;
}
"#;

/// The line of the program in which this stands.
fn line(what: &str) -> usize {
    1 + PROGRAM.lines().position(|line| line.contains(what)).unwrap()
}

/// Records the program as it is run with these options and words.
fn record(place: &Place, options: &[&str], words: &[&str]) {
    let program = compile(place, "racing", PROGRAM, &["-O0", "-pthread"]);
    let output = place.record_with(options, &[&[program.as_str()], words].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The races that are told of, and the exit status.
fn races(place: &Place) -> (Vec<Value>, Option<i32>) {
    let output = imitate().args(["races", "--json"]).arg(place.trace()).output().unwrap();
    let rows = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (rows, output.status.code())
}

fn assert_race(planted: &str, options: &[&str], memory: &str, lines: [usize; 2]) {
    let place = Place::new();
    record(&place, options, &[planted]);
    let (rows, status) = races(&place);
    assert_eq!(status, Some(1), "{planted}: {rows:#?}");
    assert!(!rows.is_empty());
    for row in &rows {
        assert_eq!(row["memory"].as_str().unwrap().split('+').next(), Some(memory), "{row:#}");
        let sites = [0, 1].map(|i| row["accesses"][i]["site"].as_str().unwrap());
        for site in sites {
            let known = lines.iter().any(|line| site.ends_with(&format!("racing.c:{line}")));
            assert!(known, "{planted}: {site}");
        }
        let threads = [0, 1].map(|i| row["accesses"][i]["thread"].as_u64().unwrap());
        assert_ne!(threads[0], threads[1]);
        let writes = [0, 1].map(|i| row["accesses"][i]["writes"].as_bool().unwrap());
        assert!(writes[0] || writes[1]);
        for i in 0..2 {
            let stack = row["accesses"][i]["stack"].as_array().unwrap();
            assert!(stack.iter().any(|frame| frame.as_str().unwrap().starts_with("work at ")), "{row:#}");
        }
    }
}

#[test]
fn a_counter_without_a_lock_is_found_with_both_stacks() {
    let line = line("counter++");
    assert_race("count", &[], "counter", [line, line]);
}

#[test]
fn a_race_within_libc_is_the_callers() {
    let line = line("memcpy(name");
    assert_race("copy", &["--chaos=3"], "name", [line, line]);
}

#[test]
fn a_lock_that_is_shared_does_not_order_those_that_write() {
    let lines = [line("guarded < 0"), line("if (is(\"look\")) guarded++")];
    assert_race("look", &[], "guarded", lines);
}

#[test]
fn accesses_that_were_far_apart_race_if_nothing_orders_them() {
    assert_race("late", &[], "late", [line("late = 1"), line("late > 1")]);
}

const IN_SYNC: &[&str] = &["--order", "sync"];

#[test]
fn sync_order_shows_the_same_races() {
    let found = [
        ("count", "counter", ["counter++"; 2]),
        ("copy", "name", ["memcpy(name"; 2]),
        ("look", "guarded", ["guarded < 0", "if (is(\"look\")) guarded++"]),
        ("late", "late", ["late = 1", "late > 1"]),
    ];
    for (planted, memory, lines) in found {
        assert_race(planted, IN_SYNC, memory, lines.map(line));
    }
}

#[test]
fn what_is_ordered_is_no_race() {
    for options in [&[][..], &["--chaos=1"], &["--chaos=2"], IN_SYNC] {
        let place = Place::new();
        record(&place, options, &[]);
        assert_eq!(races(&place), (Vec::new(), Some(0)), "{options:?}");
    }
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/programs");
    let names = ["threads/c11.c", "threads/primitives.c", "sync/interrupted.c", "threads/cancelled.c"];
    // One that computes for ever is not cancelled in sync order.
    let in_sync = names[..3].iter().map(|name| (name, IN_SYNC));
    for (name, options) in names.iter().map(|name| (name, &[][..])).chain(in_sync) {
        let place = Place::new();
        let code = std::fs::read_to_string(programs.join(name)).unwrap();
        let program = compile(&place, "clean", &code, &["-O1", "-w", "-D_GNU_SOURCE", "-pthread"]);
        assert!(place.record_with(options, &[&program]).status.success());
        let (rows, status) = races(&place);
        // It computes until it is cancelled, and main looks whether it has begun.
        let known = if *name == "threads/cancelled.c" { vec!["turns"] } else { Vec::new() };
        let found: Vec<_> = rows.iter().map(|row| row["memory"].as_str().unwrap()).collect();
        let expected = (known.clone(), Some(i32::from(!known.is_empty())));
        assert_eq!((found, status), expected, "{name} {options:?}: {rows:#?}");
    }
}

#[test]
fn a_static_variable_of_cplusplus_is_initialised_before_it_is_used() {
    let place = Place::new();
    // What a compiler makes of `static int made = 7;`.
    let code = r#"
#include <pthread.h>
int __cxa_guard_acquire(long long *), __cxa_guard_release(long long *);
static long long guard;
static int made;
static void *use(void *unused)
{
    if (!__atomic_load_n((char *)&guard, __ATOMIC_ACQUIRE) && __cxa_guard_acquire(&guard)) {
        made = 7;
        __cxa_guard_release(&guard);
    }
    return made == 7 ? unused : &made;
}
int main(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, use, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    return 0;
}
"#;
    let program =
        compile(&place, "guarded", code, &["-O1", "-pthread", "-Wl,--no-as-needed", "-l:libstdc++.so.6"]);
    for _ in 0..5 {
        let trace = place.trace();
        let _ = std::fs::remove_dir_all(&trace);
        assert!(place.record_with(IN_SYNC, &[&program]).status.success());
        assert_eq!(races(&place), (Vec::new(), Some(0)));
    }
}

#[test]
fn a_parallel_replay_that_goes_another_way_counts_until_there() {
    let place = Place::new();
    let code = r#"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long added;
static void *add(void *unused)
{
    for (int i = 0; i < 3000; i++) added++;
    pthread_mutex_lock(&lock);
    printf("%ld\n", added), fflush(stdout);
    pthread_mutex_unlock(&lock);
    return unused;
}
int main(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, add, NULL);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}
"#;
    let program = compile(&place, "adding", code, &["-O1", "-pthread"]);
    assert!(place.record_with(IN_SYNC, &[&program]).status.success());
    let (rows, status) = races(&place);
    assert_eq!(status, Some(1));
    assert!(!rows.is_empty() && rows.iter().all(|row| row["memory"] == "added"), "{rows:#?}");
}

/// The main thread sleeps, and finds what the other one has written meanwhile; in a replay, in which it does not sleep, it goes on at
/// once and finds nothing.
const LOOKING: &str = r#"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static sem_t started, looked;
static atomic_int progress;
static void *work(void *unused)
{
    sem_post(&started);
    pthread_mutex_lock(&held);
    WRITE; // writes
    pthread_mutex_unlock(&held);
    sem_wait(&looked);
    return unused;
}
int main(void)
{
    pthread_t thread;
    sem_init(&started, 0, 0), sem_init(&looked, 0, 0);
    pthread_mutex_lock(&held);
    pthread_create(&thread, NULL, work, NULL);
    sem_wait(&started);
    pthread_mutex_unlock(&held);
    usleep(100000);
    int seen = atomic_load_explicit(&progress, memory_order_acquire); // reads
    if (!seen) pthread_mutex_lock(&other), pthread_mutex_unlock(&other);
    sem_post(&looked);
    pthread_join(thread, NULL);
    return seen;
}
"#;

/// Records that program with this for its write, and gives the rows of `races` with these options.
fn look(write: &str, options: &[&str]) -> Vec<Value> {
    let place = Place::new();
    let write = format!("-DWRITE={write}");
    let program = compile(&place, "looking", LOOKING, &["-O1", "-pthread", &write]);
    // The other thread may not have come to it.
    while place.record_with(IN_SYNC, &[&program]).status.code() != Some(1) {
        std::fs::remove_dir_all(place.trace()).unwrap();
    }
    let output = imitate().args(["races", "--json"]).args(options).arg(place.trace()).output().unwrap();
    let rows: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(output.status.code() == Some(1) && rows.len() == 1, "{rows:#?}\n{}", text(&output.stderr));
    rows
}

#[test]
fn who_has_gone_another_way_stays_until_others_have_done_what_it_has_not_waited_for() {
    let rows = look("atomic_store_explicit(&progress,1,memory_order_release)", &[]);
    assert_eq!((&rows[0]["memory"], &rows[0]["atomic"]), (&"progress".into(), &false.into()));
    let mut sites = [0, 1].map(|i| rows[0]["accesses"][i]["site"].as_str().unwrap());
    sites.sort_unstable();
    let line = |what| 1 + LOOKING.lines().position(|line| line.contains(what)).unwrap();
    assert!(sites[0].ends_with(&format!("looking.c:{}", line("// reads"))), "{rows:#?}");
    assert!(sites[1].ends_with(&format!("looking.c:{}", line("// writes"))), "{rows:#?}");
}

#[test]
fn atomics_that_sync_order_does_not_see_are_named_where_a_replay_goes_another_way() {
    for options in [&[][..], &["--atomics"]] {
        let rows = look("atomic_exchange(&progress,1)", options);
        assert_eq!((&rows[0]["memory"], &rows[0]["atomic"]), (&"progress".into(), &true.into()));
    }
}

#[test]
fn it_is_told_for_people_too() {
    let place = Place::new();
    record(&place, &[], &["count"]);
    let told = imitate().arg("races").arg(place.trace()).output().unwrap();
    let said = text(&told.stdout);
    assert!(said.contains("race on counter (8 bytes), "), "{said}");
    assert!(
        said.contains(&format!("writes in count at racing.c:{}, before event ", line("counter++"))),
        "{said}"
    );
    assert!(said.contains("    called by work at racing.c:"), "{said}");
}

#[test]
fn a_search_that_somebody_ends_does_not_say_that_there_is_no_race() {
    let place = Place::new();
    let code = r#"
#include <pthread.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long counter;
static void *count(void *unused)
{
    for (long i = 0; i < 300000; i++) {
        pthread_mutex_lock(&lock);
        for (int j = 0; j < 100; j++) counter++;
        pthread_mutex_unlock(&lock);
    }
    return unused;
}
int main(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}
"#;
    let program = compile(&place, "slow", code, &["-O1", "-pthread"]);
    assert!(place.record(&[&program]).status.success());
    let mut command = imitate();
    command.arg("races").arg(place.trace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = command.spawn().unwrap();
    // As `timeout` does, as soon as there is a replay, which takes minutes.
    let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
    let runs = |id: &str| read(format!("/proc/{id}/comm")) == "slow\n";
    let children = format!("/proc/{0}/task/{0}/children", tool.id());
    while !read(children.clone()).split_whitespace().any(runs) {
        assert!(tool.try_wait().unwrap().is_none(), "it has ended by itself");
        std::thread::yield_now();
    }
    // SAFETY: the tool is our child, and was not waited for.
    unsafe { libc::kill(tool.id() as i32, libc::SIGTERM) };
    let output = tool.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert!(!said.contains("no race"), "{said}");
    // One that comes while the tool has just made the process, and does not know it yet, is for the tool alone.
    let is_the_tools = output.status.signal() == Some(libc::SIGTERM);
    assert!(is_the_tools || output.status.code() == FAILED && !said.is_empty(), "{said}");
}
