//! Wherever in our code a thread stands, gdb shows the program's functions that it was called in.

use crate::debugger::{compile, run};
use crate::{Place, text};

/// Each thread spends its time in another kind of hook; one is stopped between two instructions.
const PROGRAM: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long count, ticks;

static void *clocks(void *unused)
{
    struct timespec now;
    for (int round = 0; round < 20000; round++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        ticks += now.tv_nsec;
    }
    return unused;
}

static void *locks(void *unused)
{
    for (int round = 0; round < 20000; round++) {
        pthread_mutex_lock(&lock);
        count++;
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

static void *calls(void *unused)
{
    for (int round = 0; round < 20000; round++)
        getppid();
    return unused;
}

static void *heap(void *unused)
{
    for (int round = 0; round < 20000; round++) {
        free(malloc(100));
        fputs("", stdout);
    }
    return unused;
}

static void *loops(void *unused)
{
    for (volatile long round = 0; round < 20000000; round++)
        ;
    return unused;
}

static void mark(void)
{
    count++;
}

int main(void)
{
    void *(*functions[])(void *) = {clocks, locks, locks, calls, heap, loops};
    pthread_t threads[6];
    for (int number = 0; number < 6; number++)
        pthread_create(&threads[number], NULL, functions[number], NULL);
    for (int number = 0; number < 10; number++) {
        usleep(1000);
        mark();
    }
    for (int number = 0; number < 6; number++)
        pthread_join(threads[number], NULL);
    return 0;
}
"#;

/// Prints each thread's functions, one thread a line.
const LOOK: &str = "python
for thread in gdb.selected_inferior().threads():
  thread.switch()
  names, frame = [], gdb.newest_frame()
  while frame is not None:
    names.append(frame.name() or '?')
    last, frame = frame, frame.older()
  print('functions:', *reversed(names), gdb.frame_stop_reason_string(last.unwind_stop_reason()))
end
";

#[test]
fn every_thread_is_shown_in_the_function_of_the_program() {
    // A thread that begins or ends is in none of them.
    let at_its_ends = ["start_thread", "imitate_child_entry", "imitate_raw_clone"];
    let functions = [&["main", "clocks", "locks", "calls", "heap", "loops"], &at_its_ends[..]].concat();
    let mut seen = 0;
    for options in [&["--order=serial"][..], &["--chaos=1"], &["--chaos=2"], &["--order=sync"]] {
        let place = Place::new();
        let program = compile(&place, "program", PROGRAM, &["-O0", "-pthread"]);
        let recorded = place.record_with(options, &[&program]);
        assert!(recorded.status.success(), "{}", text(&recorded.stderr));
        let looks = format!("continue\n{LOOK}").repeat(10);
        let session = run(&place.trace(), &["--gdb"], &[], &format!("break mark\n{looks}quit\n"));
        let threads: Vec<_> = session.lines().filter(|line| line.contains("functions: ")).collect();
        assert!(threads.len() >= 10, "{options:?}: {} threads seen", threads.len());
        seen += threads.len();
        for line in threads {
            let known = line.split(' ').any(|name| functions.contains(&name));
            assert!(known, "{options:?}: {line}");
        }
    }
    assert!(seen > 40, "only the first thread was ever seen");
}
