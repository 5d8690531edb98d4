// Shows: one kind of lock, taken in one way, with and without contention: in which order threads get it, and when they do not.
#include "matrix.h"
#include <fcntl.h>
#include <semaphore.h>
#include <threads.h>
#include <unistd.h>

static union {
    pthread_mutex_t mutex;
    pthread_rwlock_t shared;
    pthread_spinlock_t spin;
    sem_t semaphore;
    mtx_t c11;
    FILE *stream;
} of = {PTHREAD_MUTEX_INITIALIZER};
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static sem_t *semaphore;

static void initialise_mutex(int type, int robust, int protocol, int shared) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setpshared(&attributes, shared);
    check(pthread_mutex_init(&of.mutex, &attributes), "pthread_mutex_init");
}
static void nothing(void) {}
static void recursive_by_value(void) { of.mutex = recursive; }
static void normal(void) { initialise_mutex(PTHREAD_MUTEX_NORMAL, 0, 0, 0); }
static void recursively(void) { initialise_mutex(PTHREAD_MUTEX_RECURSIVE, 0, 0, 0); }
static void error_checking(void) { initialise_mutex(PTHREAD_MUTEX_ERRORCHECK, 0, 0, 0); }
static void adaptive(void) { initialise_mutex(PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0, 0); }
static void robust(void) { initialise_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, 0, 0); }
static void inheriting(void) { initialise_mutex(PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT, 0); }
static void robust_inheriting(void) {
    initialise_mutex(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT, 0);
}
static void mutex_of_processes(void) { initialise_mutex(PTHREAD_MUTEX_NORMAL, 0, 0, PTHREAD_PROCESS_SHARED); }
static void used_before(void) {
    normal();
    pthread_mutex_lock(&of.mutex), pthread_mutex_unlock(&of.mutex);
    pthread_mutex_destroy(&of.mutex);
    recursively();
}
static void initialise_shared(int preference, int shared) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, preference);
    pthread_rwlockattr_setpshared(&attributes, shared);
    check(pthread_rwlock_init(&of.shared, &attributes), "pthread_rwlock_init");
}
static void preferring_readers(void) { initialise_shared(PTHREAD_RWLOCK_PREFER_READER_NP, 0); }
static void preferring_writers(void) { initialise_shared(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, 0); }
static void shared_of_processes(void) { initialise_shared(PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_PROCESS_SHARED); }
static void spin(void) { pthread_spin_init(&of.spin, PTHREAD_PROCESS_PRIVATE); }
static void spin_of_processes(void) { pthread_spin_init(&of.spin, PTHREAD_PROCESS_SHARED); }
static void unnamed(void) { sem_init(semaphore = &of.semaphore, 0, 1); }
static void semaphore_of_processes(void) { sem_init(semaphore = &of.semaphore, 1, 1); }
static void named(void) {
    char name[64];
    snprintf(name, sizeof name, "/imitate-matrix-%d", getpid());
    semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    check(semaphore == SEM_FAILED ? errno : 0, "sem_open");
    sem_unlink(name);
}
static void c11_plain(void) { mtx_init(&of.c11, mtx_plain); }
static void c11_timed(void) { mtx_init(&of.c11, mtx_timed); }
static void c11_recursive(void) { mtx_init(&of.c11, mtx_timed | mtx_recursive); }
static void stream(void) { check((of.stream = tmpfile()) ? 0 : errno, "tmpfile"); }

static int lock(void) { return pthread_mutex_lock(&of.mutex); }
static int try_lock(void) { return pthread_mutex_trylock(&of.mutex); }
static int timed_lock(void) {
    struct timespec time = soon(CLOCK_REALTIME);
    return pthread_mutex_timedlock(&of.mutex, &time);
}
static int clock_lock(void) {
    // glibc 2.36 refuses the other clock for those that inherit priorities.
    int error;
    struct timespec time = soon(CLOCK_MONOTONIC);
    if ((error = pthread_mutex_clocklock(&of.mutex, CLOCK_MONOTONIC, &time)) != EINVAL)
        return error;
    time = soon(CLOCK_REALTIME);
    return pthread_mutex_clocklock(&of.mutex, CLOCK_REALTIME, &time);
}
static void unlock(void) { pthread_mutex_unlock(&of.mutex); }

static int read_lock(void) { return pthread_rwlock_rdlock(&of.shared); }
static int try_read_lock(void) { return pthread_rwlock_tryrdlock(&of.shared); }
static int timed_read_lock(void) {
    struct timespec time = soon(CLOCK_REALTIME);
    return pthread_rwlock_timedrdlock(&of.shared, &time);
}
static int clock_read_lock(void) {
    struct timespec time = soon(CLOCK_MONOTONIC);
    return pthread_rwlock_clockrdlock(&of.shared, CLOCK_MONOTONIC, &time);
}
static int write_lock(void) { return pthread_rwlock_wrlock(&of.shared); }
static int try_write_lock(void) { return pthread_rwlock_trywrlock(&of.shared); }
static int timed_write_lock(void) {
    struct timespec time = soon(CLOCK_REALTIME);
    return pthread_rwlock_timedwrlock(&of.shared, &time);
}
static int clock_write_lock(void) {
    struct timespec time = soon(CLOCK_MONOTONIC);
    return pthread_rwlock_clockwrlock(&of.shared, CLOCK_MONOTONIC, &time);
}
static void unlock_shared(void) { pthread_rwlock_unlock(&of.shared); }

static int spin_lock(void) { return pthread_spin_lock(&of.spin); }
static int try_spin_lock(void) { return pthread_spin_trylock(&of.spin); }
static void unlock_spin(void) { pthread_spin_unlock(&of.spin); }

static int decrement(void) { return sem_wait(semaphore) ? errno : 0; }
static int try_decrement(void) { return sem_trywait(semaphore) ? errno : 0; }
static int timed_decrement(void) {
    struct timespec time = soon(CLOCK_REALTIME);
    return sem_timedwait(semaphore, &time) ? errno : 0;
}
static int clock_decrement(void) {
    struct timespec time = soon(CLOCK_MONOTONIC);
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &time) ? errno : 0;
}
static void increment(void) { sem_post(semaphore); }

static int c11_lock(void) { return mtx_lock(&of.c11); }
static int c11_try_lock(void) { return mtx_trylock(&of.c11); }
static int c11_timed_lock(void) {
    struct timespec time = soon(CLOCK_REALTIME);
    return mtx_timedlock(&of.c11, &time);
}
static void c11_unlock(void) { mtx_unlock(&of.c11); }

static int lock_stream(void) { return flockfile(of.stream), 0; }
static int try_lock_stream(void) { return ftrylockfile(of.stream); }
static void unlock_stream(void) {
    putc_unlocked('a' + me, of.stream);
    see(ftell(of.stream));
    funlockfile(of.stream);
}

struct object {
    const char *name;
    void (*prepare)(void);
};
struct operation {
    const char *name;
    int (*take)(void);
    void (*give)(void);
    // Others may have it too.
    int (*instead)(void);
};

static const struct object objects[] = {
    {"static-mutex", nothing},
    {"static-recursive-mutex", recursive_by_value},
    {"mutex", normal},
    {"recursive-mutex", recursively},
    {"error-checking-mutex", error_checking},
    {"adaptive-mutex", adaptive},
    {"robust-mutex", robust},
    {"inheriting-mutex", inheriting},
    {"robust-inheriting-mutex", robust_inheriting},
    {"mutex-of-processes", mutex_of_processes},
    {"mutex-used-before", used_before},
    {"read-write-lock", preferring_readers},
    {"write-preferring-lock", preferring_writers},
    {"read-write-lock-of-processes", shared_of_processes},
    {"spin-lock", spin},
    {"spin-lock-of-processes", spin_of_processes},
    {"semaphore", unnamed},
    {"semaphore-of-processes", semaphore_of_processes},
    {"named-semaphore", named},
    {"c11-mutex", c11_plain},
    {"c11-timed-mutex", c11_timed},
    {"c11-recursive-mutex", c11_recursive},
    {"stream", stream},
};
static const struct operation operations[] = {
    {"pthread_mutex_lock", lock, unlock, NULL},
    {"pthread_mutex_trylock", try_lock, unlock, NULL},
    {"pthread_mutex_timedlock", timed_lock, unlock, NULL},
    {"pthread_mutex_clocklock", clock_lock, unlock, NULL},
    {"pthread_rwlock_rdlock", read_lock, unlock_shared, write_lock},
    {"pthread_rwlock_tryrdlock", try_read_lock, unlock_shared, write_lock},
    {"pthread_rwlock_timedrdlock", timed_read_lock, unlock_shared, write_lock},
    {"pthread_rwlock_clockrdlock", clock_read_lock, unlock_shared, write_lock},
    {"pthread_rwlock_wrlock", write_lock, unlock_shared, NULL},
    {"pthread_rwlock_trywrlock", try_write_lock, unlock_shared, NULL},
    {"pthread_rwlock_timedwrlock", timed_write_lock, unlock_shared, NULL},
    {"pthread_rwlock_clockwrlock", clock_write_lock, unlock_shared, NULL},
    {"pthread_spin_lock", spin_lock, unlock_spin, NULL},
    {"pthread_spin_trylock", try_spin_lock, unlock_spin, NULL},
    {"sem_wait", decrement, increment, NULL},
    {"sem_trywait", try_decrement, increment, NULL},
    {"sem_timedwait", timed_decrement, increment, NULL},
    {"sem_clockwait", clock_decrement, increment, NULL},
    {"mtx_lock", c11_lock, c11_unlock, NULL},
    {"mtx_trylock", c11_try_lock, c11_unlock, NULL},
    {"mtx_timedlock", c11_timed_lock, c11_unlock, NULL},
    {"flockfile", lock_stream, unlock_stream, NULL},
    {"ftrylockfile", try_lock_stream, unlock_stream, NULL},
};
static const struct operation *operation;

static void take_by_turns(void) {
    for (int round = 0; round < ROUNDS; round++) {
        int shares = operation->instead && (round + me) % 4;
        int error = operation->instead && !shares ? operation->instead() : operation->take();
        if (error) {
            see(error);
            continue;
        }
        if (shares)
            see(order);
        else
            note(round);
        hold(round);
        operation->give();
    }
}

int main(int argc, char **argv) {
    check(argc == 3 || chooses_signals(argc, argv) ? 0 : EINVAL, "each_lock OBJECT OPERATION [signals]");
    objects[PLACE(argv[1], objects)].prepare();
    operation = &operations[PLACE(argv[2], operations)];
    work = take_by_turns;
    for (int number = 1; number <= MOST_THREADS; number *= 2)
        with_threads(number);
}
