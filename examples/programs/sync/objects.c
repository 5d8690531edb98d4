// Shows: every kind of synchronisation object of libc, and every way to take it, contended by threads that run in parallel:
// the order in which they come to each, and how often they do not get it.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

enum { THREADS = 4, ROUNDS = 300, KINDS = 6 };

static pthread_mutex_t mutexes[KINDS];
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_barrier_t barrier;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static mtx_t c11;
static cnd_t c11_changed;

// Each is changed under the lock of the same number or name alone.
static unsigned long order[KINDS], written, spun, c11_order;
static int queued;
static long initialiser;
static unsigned long refused[THREADS], serial[THREADS];
static __thread long me;

static void initialise(void) { initialiser = me; }
static void note(int kind, int what) { order[kind] = order[kind] * 1000003 + me * 8 + what; }

static void compute(unsigned steps) {
    for (volatile unsigned i = 0; i < steps; i++)
        ;
}

static struct timespec soon(long microseconds) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += microseconds * 1000;
    if (time.tv_nsec >= 1000000000)
        time.tv_nsec -= 1000000000, time.tv_sec++;
    return time;
}

static void take_mutexes(int round) {
    for (int kind = 0; kind < KINDS; kind++) {
        pthread_mutex_lock(&mutexes[kind]);
        note(kind, 0);
        compute(round * me % 50);
        // The second is recursive, the third tells.
        int again = kind == 1 || kind == 2 ? pthread_mutex_lock(&mutexes[kind]) : 0;
        if (again != (kind == 2 ? EDEADLK : 0))
            abort();
        if (kind == 1)
            pthread_mutex_unlock(&mutexes[kind]);
        pthread_mutex_unlock(&mutexes[kind]);
        struct timespec time = soon(30);
        int error = round % 3 == 0   ? pthread_mutex_trylock(&mutexes[kind])
                    : round % 3 == 1 ? pthread_mutex_timedlock(&mutexes[kind], &time)
                                     : pthread_mutex_clocklock(&mutexes[kind], CLOCK_REALTIME, &time);
        if (error == 0) {
            note(kind, 1);
            compute(500);
            pthread_mutex_unlock(&mutexes[kind]);
        } else {
            refused[me] += error;
        }
    }
}

static void take_read_write_lock(void) {
    pthread_rwlock_rdlock(&shared);
    unsigned long seen = written;
    compute(seen % 64);
    pthread_rwlock_unlock(&shared);
    pthread_rwlock_wrlock(&shared);
    written = written * 31 + me + seen;
    pthread_rwlock_unlock(&shared);
    struct timespec time = soon(20);
    int errors[] = {pthread_rwlock_tryrdlock(&shared), 0, 0};
    if (errors[0] == 0)
        seen = written, pthread_rwlock_unlock(&shared);
    if ((errors[1] = pthread_rwlock_trywrlock(&shared)) == 0)
        written += seen, pthread_rwlock_unlock(&shared);
    if ((errors[2] = pthread_rwlock_timedwrlock(&shared, &time)) == 0)
        written ^= me << 7, pthread_rwlock_unlock(&shared);
    refused[me] += errors[0] + errors[1] + errors[2];
}

static void take_spin_lock(void) {
    pthread_spin_lock(&spin);
    spun = spun * 17 + me;
    pthread_spin_unlock(&spin);
    if (pthread_spin_trylock(&spin) == 0) {
        spun += 3;
        pthread_spin_unlock(&spin);
    } else {
        refused[me]++;
    }
}

static void take_semaphore(void) {
    sem_wait(&semaphore);
    compute(200);
    sem_post(&semaphore);
    struct timespec time = soon(20);
    for (int way = 0; way < 3; way++) {
        int result = way == 0   ? sem_trywait(&semaphore)
                     : way == 1 ? sem_timedwait(&semaphore, &time)
                                : sem_clockwait(&semaphore, CLOCK_REALTIME, &time);
        if (result == 0)
            sem_post(&semaphore);
        else
            refused[me] += errno;
    }
}

static void wait_for_change(void) {
    pthread_mutex_lock(&mutexes[0]);
    queued++;
    note(0, 2);
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutexes[0]);
    pthread_mutex_lock(&mutexes[0]);
    while (queued == 0) {
        struct timespec time = soon(100);
        if (pthread_cond_timedwait(&changed, &mutexes[0], &time) == ETIMEDOUT) {
            refused[me]++;
            break;
        }
    }
    if (queued > 0)
        queued--;
    note(0, 3);
    pthread_mutex_unlock(&mutexes[0]);
    mtx_lock(&c11);
    c11_order = c11_order * 13 + me;
    cnd_broadcast(&c11_changed);
    mtx_unlock(&c11);
}

static void *work(void *argument) {
    me = (long)argument;
    pthread_once(&once, initialise);
    for (int round = 0; round < ROUNDS; round++) {
        take_mutexes(round);
        take_read_write_lock();
        take_spin_lock();
        take_semaphore();
        wait_for_change();
        if (round % 50 == 0 && pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            serial[me]++;
    }
    return NULL;
}

static void initialise_mutexes(void) {
    const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    for (int kind = 0; kind < KINDS; kind++) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        if (kind < 4)
            pthread_mutexattr_settype(&attributes, types[kind]);
        if (kind == 4)
            pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        if (kind == 5)
            pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
        pthread_mutex_init(&mutexes[kind], &attributes);
    }
}

int main(void) {
    pthread_t threads[THREADS];
    initialise_mutexes();
    pthread_spin_init(&spin, 0), pthread_barrier_init(&barrier, NULL, THREADS), sem_init(&semaphore, 0, 2);
    mtx_init(&c11, mtx_plain), cnd_init(&c11_changed);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int kind = 0; kind < KINDS; kind++)
        printf("mutex %d: %lx\n", kind, order[kind]);
    printf("written %lx, spun %lx, c11 %lx, left %d, initialised by %ld\n", written, spun, c11_order, queued, initialiser);
    for (int i = 0; i < THREADS; i++)
        printf("thread %d: %lu refused, %lu times serial\n", i, refused[i], serial[i]);
}
