// Shows: one kind of object by which threads wait for each other, in one way: who waits, who is woken, and what they then find.
#include "matrix.h"
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <threads.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t conditions[MOST_THREADS];
static clockid_t clock_of_conditions = CLOCK_REALTIME;
static mtx_t c11_mutex;
static cnd_t c11_conditions[MOST_THREADS];
static pthread_barrier_t barrier;
static pthread_once_t onces[ROUNDS];
static once_flag c11_onces[ROUNDS];
static pthread_key_t key;
static tss_t c11_key;
static int ends[2];
// Whose turn it is, under the mutex.
static long turn;

static void initialise_conditions(clockid_t clock, int shared) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    check(pthread_condattr_setclock(&attributes, clock), "pthread_condattr_setclock");
    pthread_condattr_setpshared(&attributes, shared);
    clock_of_conditions = clock;
    for (int i = 0; i < MOST_THREADS; i++)
        check(pthread_cond_init(&conditions[i], &attributes), "pthread_cond_init");
}
static void static_conditions(void) {
    for (int i = 0; i < MOST_THREADS; i++)
        conditions[i] = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}
static void real_time_conditions(void) { initialise_conditions(CLOCK_REALTIME, 0); }
static void monotonic_conditions(void) { initialise_conditions(CLOCK_MONOTONIC, 0); }
static void conditions_of_processes(void) { initialise_conditions(CLOCK_MONOTONIC, PTHREAD_PROCESS_SHARED); }
static void initialise_c11(void) {
    mtx_init(&c11_mutex, mtx_timed);
    for (int i = 0; i < MOST_THREADS; i++)
        cnd_init(&c11_conditions[i]);
}
static void pipe_ends(void) { check(pipe(ends) ? errno : 0, "pipe"); }
static void socket_ends(void) { check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) ? errno : 0, "socketpair"); }
static void event_ends(void) { ends[0] = ends[1] = eventfd(0, EFD_SEMAPHORE); }
static void nothing(void) {}

static int wait_for_condition(void) { return pthread_cond_wait(&conditions[me], &mutex); }
static int wait_until(void) {
    struct timespec time = soon(clock_of_conditions);
    return pthread_cond_timedwait(&conditions[me], &mutex, &time);
}
static int wait_by_clock(void) {
    struct timespec time = soon(CLOCK_MONOTONIC);
    return pthread_cond_clockwait(&conditions[me], &mutex, CLOCK_MONOTONIC, &time);
}
static int wait_for_c11_condition(void) { return cnd_wait(&c11_conditions[me], &c11_mutex); }
static int wait_until_c11(void) {
    struct timespec time = soon(CLOCK_REALTIME);
    return cnd_timedwait(&c11_conditions[me], &c11_mutex, &time);
}

static int (*wait_in_turn)(void);
static int broadcasts;

// Threads have their turns one after the other; others than the next may be woken too.
static void take_turns(int c11) {
    for (int round = 0; round < ROUNDS; round++) {
        c11 ? mtx_lock(&c11_mutex) : pthread_mutex_lock(&mutex);
        note(8);
        while (turn % threads != me)
            see(wait_in_turn());
        note(round);
        hold(round);
        long next = ++turn % threads;
        if (c11)
            broadcasts ? cnd_broadcast(&c11_conditions[next]) : cnd_signal(&c11_conditions[next]);
        else
            broadcasts ? pthread_cond_broadcast(&conditions[next]) : pthread_cond_signal(&conditions[next]);
        c11 ? mtx_unlock(&c11_mutex) : pthread_mutex_unlock(&mutex);
    }
}
static void by_conditions(void) { take_turns(0); }
static void by_c11_conditions(void) { take_turns(1); }

// Who comes last is told so.
static void meet(void) {
    for (int round = 0; round < ROUNDS; round++) {
        hold(round + me);
        int serial = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
        see(serial);
        if (serial)
            note(round);
        pthread_barrier_wait(&barrier);
    }
}

static void initialise(void) {
    note(1);
    hold(7);
}
static void initialise_once(void) {
    for (int round = 0; round < ROUNDS; round++) {
        pthread_once(&onces[round], initialise);
        compute(me * 50);
    }
}
static void initialise_c11_once(void) {
    for (int round = 0; round < ROUNDS; round++) {
        call_once(&c11_onces[round], initialise);
        compute(me * 50);
    }
}

static void destroy(void *value) {
    pthread_mutex_lock(&mutex);
    note((unsigned long)value);
    pthread_mutex_unlock(&mutex);
}
static void keep(void) {
    pthread_setspecific(key, (void *)(me + 1));
    see((unsigned long)pthread_getspecific(key));
    pthread_key_t own;
    check(pthread_key_create(&own, destroy), "pthread_key_create");
    see(own);
    pthread_setspecific(own, (void *)(me + 10));
    compute(me * 100);
}
static void keep_c11(void) {
    tss_set(c11_key, (void *)(me + 1));
    see((unsigned long)tss_get(c11_key));
    compute(me * 100);
}

// What a thread reads says who wrote it, which is who came first.
static void pass_bytes(void) {
    for (int round = 0; round < ROUNDS; round++) {
        unsigned long one = 1 + me, other = 0;
        if (ends[0] == ends[1])
            one = 1;
        check(write(ends[1], &one, sizeof one) == sizeof one ? 0 : errno, "write");
        hold(round + me);
        check(read(ends[0], &other, sizeof other) == sizeof other ? 0 : errno, "read");
        see(other);
    }
}

static const struct way {
    const char *name;
    void (*work)(void);
    int (*wait)(void);
    int broadcasts;
} ways[] = {
    {"pthread_cond_wait-signal", by_conditions, wait_for_condition, 0},
    {"pthread_cond_wait-broadcast", by_conditions, wait_for_condition, 1},
    {"pthread_cond_timedwait-signal", by_conditions, wait_until, 0},
    {"pthread_cond_timedwait-broadcast", by_conditions, wait_until, 1},
    {"pthread_cond_clockwait-signal", by_conditions, wait_by_clock, 0},
    {"pthread_cond_clockwait-broadcast", by_conditions, wait_by_clock, 1},
    {"cnd_wait-signal", by_c11_conditions, wait_for_c11_condition, 0},
    {"cnd_wait-broadcast", by_c11_conditions, wait_for_c11_condition, 1},
    {"cnd_timedwait-signal", by_c11_conditions, wait_until_c11, 0},
    {"cnd_timedwait-broadcast", by_c11_conditions, wait_until_c11, 1},
    {"pthread_barrier_wait", meet, NULL, 0},
    {"pthread_once", initialise_once, NULL, 0},
    {"call_once", initialise_c11_once, NULL, 0},
    {"pthread_setspecific", keep, NULL, 0},
    {"tss_set", keep_c11, NULL, 0},
    {"read-write", pass_bytes, NULL, 0},
};
static const struct object {
    const char *name;
    void (*prepare)(void);
} objects[] = {
    {"static-condition", static_conditions},
    {"condition", real_time_conditions},
    {"monotonic-condition", monotonic_conditions},
    {"condition-of-processes", conditions_of_processes},
    {"c11-condition", initialise_c11},
    {"barrier", nothing},
    {"once", nothing},
    {"key", nothing},
    {"pipe", pipe_ends},
    {"sockets", socket_ends},
    {"event-descriptor", event_ends},
};

int main(int argc, char **argv) {
    check(argc == 3 || chooses_signals(argc, argv) ? 0 : EINVAL, "each_wait OBJECT WAY [signals]");
    objects[PLACE(argv[1], objects)].prepare();
    const struct way *way = &ways[PLACE(argv[2], ways)];
    work = way->work, wait_in_turn = way->wait, broadcasts = way->broadcasts;
    check(pthread_key_create(&key, destroy), "pthread_key_create");
    tss_create(&c11_key, destroy);
    for (int number = 1; number <= MOST_THREADS; number *= 2) {
        turn = 0;
        for (int i = 0; i < ROUNDS; i++)
            onces[i] = PTHREAD_ONCE_INIT, c11_onces[i] = (once_flag)ONCE_FLAG_INIT;
        check(pthread_barrier_init(&barrier, NULL, number), "pthread_barrier_init");
        with_threads(number);
    }
}
