// What the programs of the matrix share: one kind of object and one operation on it, chosen by the arguments, by one thread, by
// two and by four at once.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 4, ROUNDS = 64 };

// Changed by who has the object alone.
static unsigned long order;
// Of each thread.
static unsigned long seen[MOST_THREADS];
static int threads;
// Signals come meanwhile.
static int interrupted;
static __thread long me;
// Before that, a handler has no place of its thread's to note anything in.
static __thread int knows_me;

static void note(unsigned long value) { order = order * 1000003 + value * 8 + me; }
static void see(unsigned long value) { seen[me] = seen[me] * 1000003 + value; }

static void compute(unsigned steps) {
    for (volatile unsigned i = 0; i < steps; i++)
        ;
}

// Most times a moment; now and then longer than others have patience.
static void hold(int round) { compute(round % 16 == 7 ? 200000 : 500); }

static struct timespec soon(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += 30000;
    if (time.tv_nsec >= 1000000000)
        time.tv_nsec -= 1000000000, time.tv_sec++;
    return time;
}

static void check(int error, const char *what) {
    if (error) {
        fprintf(stderr, "%s: %s\n", what, strerror(error));
        exit(2);
    }
}

static void (*work)(void);
// All begin together: each one's work is short.
static pthread_barrier_t beginning;

static void *start(void *argument) {
    me = (long)argument;
    knows_me = 1;
    pthread_barrier_wait(&beginning);
    work();
    return NULL;
}

static void see_signal(int number) {
    if (knows_me)
        see(number);
}

// Whether the program's last argument is that.
static int chooses_signals(int argc, char **argv) {
    if (argc != 4 || strcmp(argv[3], "signals"))
        return 0;
    struct sigaction action = {.sa_handler = see_signal, .sa_flags = SA_RESTART};
    check(sigaction(SIGUSR1, &action, NULL) ? errno : 0, "sigaction");
    return interrupted = 1;
}

// Does `work` in so many threads, and says what came of it.
static void with_threads(int number) {
    pthread_t all[MOST_THREADS];
    threads = number;
    order = 0;
    memset(seen, 0, sizeof seen);
    check(pthread_barrier_init(&beginning, NULL, number), "pthread_barrier_init");
    for (long i = 0; i < number; i++)
        check(pthread_create(&all[i], NULL, start, (void *)i), "pthread_create");
    for (int i = 0; interrupted && i < ROUNDS * number; i++) {
        pthread_kill(all[i % number], SIGUSR1);
        compute(5000);
    }
    for (int i = 0; i < number; i++)
        check(pthread_join(all[i], NULL), "pthread_join");
    printf("%d threads: %lx", number, order);
    for (int i = 0; i < number; i++)
        printf(" %lx", seen[i]);
    printf("\n");
}

// The place of a name among others, `size` bytes apart.
static int place_of(const char *name, const void *first, size_t size, int count) {
    for (int i = 0; i < count; i++)
        if (!strcmp(name, *(const char *const *)((const char *)first + i * size)))
            return i;
    fprintf(stderr, "there is no %s\n", name);
    exit(2);
}
#define PLACE(name, table) place_of(name, table, sizeof *(table), sizeof(table) / sizeof *(table))
