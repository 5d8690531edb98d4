//! Rows for each kind of synchronisation object, and each way to use it, by one thread, by two and by four at once, whose
//! threads run in parallel while they are recorded, and when they are replayed.

use crate::case::{Case, own};

/// Kinds of one sort, and what can be done with each of them.
struct Sort {
    program: &'static str,
    kinds: &'static [&'static str],
    ways: &'static [&'static str],
}

const ENDING: &str = "sync/each_ending.c";

const SORTS: &[Sort] = &[
    Sort {
        program: "sync/each_lock.c",
        kinds: &[
            "static-mutex",
            "static-recursive-mutex",
            "mutex",
            "recursive-mutex",
            "error-checking-mutex",
            "adaptive-mutex",
            "robust-mutex",
            "inheriting-mutex",
            "robust-inheriting-mutex",
            "mutex-of-processes",
            "mutex-used-before",
        ],
        ways: &[
            "pthread_mutex_lock",
            "pthread_mutex_trylock",
            "pthread_mutex_timedlock",
            "pthread_mutex_clocklock",
        ],
    },
    Sort {
        program: "sync/each_lock.c",
        kinds: &["read-write-lock", "write-preferring-lock", "read-write-lock-of-processes"],
        ways: &[
            "pthread_rwlock_rdlock",
            "pthread_rwlock_tryrdlock",
            "pthread_rwlock_timedrdlock",
            "pthread_rwlock_clockrdlock",
            "pthread_rwlock_wrlock",
            "pthread_rwlock_trywrlock",
            "pthread_rwlock_timedwrlock",
            "pthread_rwlock_clockwrlock",
        ],
    },
    Sort {
        program: "sync/each_lock.c",
        kinds: &["spin-lock", "spin-lock-of-processes"],
        ways: &["pthread_spin_lock", "pthread_spin_trylock"],
    },
    Sort {
        program: "sync/each_lock.c",
        kinds: &["semaphore", "semaphore-of-processes", "named-semaphore"],
        ways: &["sem_wait", "sem_trywait", "sem_timedwait", "sem_clockwait"],
    },
    Sort {
        program: "sync/each_lock.c",
        kinds: &["c11-mutex", "c11-timed-mutex", "c11-recursive-mutex"],
        ways: &["mtx_lock", "mtx_trylock", "mtx_timedlock"],
    },
    Sort { program: "sync/each_lock.c", kinds: &["stream"], ways: &["flockfile", "ftrylockfile"] },
    Sort {
        program: "sync/each_wait.c",
        kinds: &["static-condition", "condition", "monotonic-condition", "condition-of-processes"],
        ways: &[
            "pthread_cond_wait-signal",
            "pthread_cond_wait-broadcast",
            "pthread_cond_timedwait-signal",
            "pthread_cond_timedwait-broadcast",
            "pthread_cond_clockwait-signal",
            "pthread_cond_clockwait-broadcast",
        ],
    },
    Sort {
        program: "sync/each_wait.c",
        kinds: &["c11-condition"],
        ways: &["cnd_wait-signal", "cnd_wait-broadcast", "cnd_timedwait-signal", "cnd_timedwait-broadcast"],
    },
    Sort { program: "sync/each_wait.c", kinds: &["barrier"], ways: &["pthread_barrier_wait"] },
    Sort { program: "sync/each_wait.c", kinds: &["once"], ways: &["pthread_once", "call_once"] },
    Sort { program: "sync/each_wait.c", kinds: &["key"], ways: &["pthread_setspecific", "tss_set"] },
    Sort {
        program: "sync/each_wait.c",
        kinds: &["pipe", "sockets", "event-descriptor"],
        ways: &["read-write"],
    },
    Sort {
        program: ENDING,
        kinds: &["returns", "exits", "exits-c11", "cancels-itself"],
        ways: &[
            "pthread_join",
            "pthread_tryjoin_np",
            "pthread_timedjoin_np",
            "pthread_clockjoin_np",
            "pthread_detach",
            "thrd_join",
        ],
    },
    Sort {
        program: ENDING,
        kinds: &[
            "pauses",
            "reads",
            "sleeps",
            "waits-for-condition",
            "waits-for-condition-until",
            "waits-for-semaphore",
            "joins",
            "tests",
            "refuses-for-a-while",
            "at-any-place",
        ],
        ways: &["pthread_cancel"],
    },
    Sort { program: ENDING, kinds: &["pauses"], ways: &["pthread_kill"] },
];

/// Rows for the table: where threads wait for each other, signals come meanwhile in one more.
pub fn rows() -> Vec<Case> {
    SORTS.iter().flat_map(of_sort).collect()
}

fn of_sort(sort: &Sort) -> impl Iterator<Item = Case> {
    let more: &[&str] = if sort.program == ENDING { &[""] } else { &["", " signals"] };
    let pairs = sort.kinds.iter().flat_map(|kind| sort.ways.iter().map(move |way| (kind, way)));
    // Made once, and kept for as long as the tests run.
    let row = |arguments: String| own(sort.program).with(arguments.leak()).in_parallel();
    pairs.flat_map(move |(kind, way)| more.iter().map(move |more| row(format!("{kind} {way}{more}"))))
}
