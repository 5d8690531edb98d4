// Shows: threads that end in one way, and are waited for in another, while others begin and end: what is told of them, and when.
#include "matrix.h"
#include <semaphore.h>
#include <signal.h>
#include <threads.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, never_free = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t no_more;
static pthread_key_t key;
static int silent[2];

// What a thread that ends is given.
struct life {
    long maker;
    int round;
    sem_t ended;
};
static __thread volatile sig_atomic_t told;

static void note_end(void *argument) {
    struct life *life = argument;
    pthread_mutex_lock(&mutex);
    note(life->maker * 100 + life->round);
    pthread_mutex_unlock(&mutex);
    sem_post(&life->ended);
}
static void handle(int number) { told = number; }

static void return_value(struct life *life) { hold(life->round); }
static void leave(struct life *life) {
    compute(life->round * 100);
    pthread_exit((void *)(long)life->round);
}
static void leave_c11(struct life *life) { thrd_exit(life->round); }
static void wait_in_pause(struct life *life) {
    while (!told)
        life->round += pause() == 0;
}
static void wait_in_read(struct life *life) {
    char byte;
    check(read(silent[0], &byte, 1) == 1 ? 0 : errno, "read");
    check(life->round < 0, "something was read");
}
static void wait_in_sleep(struct life *life) {
    for (;;)
        life->round += nanosleep(&(struct timespec){1000, 0}, NULL);
}
static void unlock(void *argument) { pthread_mutex_unlock(argument); }
static void wait_for_condition(struct life *life) {
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    note(life->round);
    for (;;)
        pthread_cond_wait(&never, &mutex);
    pthread_cleanup_pop(1);
}
static void wait_for_condition_until(struct life *life) {
    struct timespec time = soon(CLOCK_REALTIME);
    time.tv_sec += 1000;
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    note(life->round);
    for (;;)
        pthread_cond_timedwait(&never, &mutex, &time);
    pthread_cleanup_pop(1);
}
static void wait_for_semaphore(struct life *life) {
    for (;;)
        life->round += sem_wait(&no_more);
}
static void *stay(void *argument) {
    for (;;)
        pause();
    return argument;
}
static void end_it(void *argument) {
    pthread_t *thread = argument;
    check(pthread_cancel(*thread), "pthread_cancel");
    check(pthread_join(*thread, NULL), "pthread_join");
}
static void wait_for_thread(struct life *life) {
    pthread_t thread;
    check(pthread_create(&thread, NULL, stay, life), "pthread_create");
    pthread_cleanup_push(end_it, &thread);
    pthread_join(thread, NULL);
    pthread_cleanup_pop(1);
}
static void look_for_cancellation(struct life *life) {
    for (;;) {
        compute(life->round);
        pthread_testcancel();
    }
}
static void look_after_a_while(struct life *life) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&mutex);
        note(life->round * 3 + i);
        pthread_mutex_unlock(&mutex);
        nanosleep(&(struct timespec){0, 20000}, NULL);
    }
    pthread_setcancelstate(before, NULL);
    pause();
}
static void be_cancelled_anywhere(struct life *life) {
    int before;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
    for (;;)
        life->round += getppid() == 0;
}
static void cancel_itself(struct life *life) {
    compute(life->round * 100);
    pthread_cancel(pthread_self());
    pthread_testcancel();
}

static void (*live)(struct life *);

static void *run(void *argument) {
    struct life *life = argument;
    me = life->maker;
    pthread_setspecific(key, life);
    live(life);
    return (void *)1;
}
static int run_c11(void *argument) { return (long)run(argument); }

static struct life *begin(pthread_t *thread, int round) {
    struct life *life = calloc(1, sizeof *life);
    life->maker = me, life->round = round;
    sem_init(&life->ended, 0, 0);
    check(pthread_create(thread, NULL, run, life), "pthread_create");
    return life;
}
static void finish(struct life *life, void *result) {
    see((unsigned long)result);
    sem_wait(&life->ended);
    see(life->round);
    free(life);
}
static void join(pthread_t thread, struct life *life) {
    void *result;
    check(pthread_join(thread, &result), "pthread_join");
    finish(life, result);
}

static void and_join(int round) {
    pthread_t thread;
    struct life *life = begin(&thread, round);
    join(thread, life);
}
static void and_try_to_join(int round) {
    pthread_t thread;
    struct life *life = begin(&thread, round);
    compute(5000);
    void *result;
    int error = pthread_tryjoin_np(thread, &result);
    see(error);
    error ? join(thread, life) : finish(life, result);
}
static void and_join_in_time(int round) {
    pthread_t thread;
    struct life *life = begin(&thread, round);
    struct timespec time = soon(CLOCK_REALTIME);
    void *result;
    int error = pthread_timedjoin_np(thread, &result, &time);
    see(error);
    error ? join(thread, life) : finish(life, result);
}
static void and_join_by_clock(int round) {
    pthread_t thread;
    struct life *life = begin(&thread, round);
    struct timespec time = soon(CLOCK_MONOTONIC);
    void *result;
    int error = pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &time);
    see(error);
    error ? join(thread, life) : finish(life, result);
}
static void and_detach(int round) {
    pthread_t thread;
    struct life *life = begin(&thread, round);
    pthread_detach(thread);
    finish(life, NULL);
}
static void and_join_c11(int round) {
    struct life *life = calloc(1, sizeof *life);
    life->maker = me, life->round = round;
    sem_init(&life->ended, 0, 0);
    thrd_t thread;
    int result;
    check(thrd_create(&thread, run_c11, life), "thrd_create");
    check(thrd_join(thread, &result), "thrd_join");
    finish(life, (void *)(long)result);
}
static void and_cancel(int round) {
    pthread_t thread;
    struct life *life = begin(&thread, round);
    compute(round % 4 * 20000);
    check(pthread_cancel(thread), "pthread_cancel");
    join(thread, life);
}
static void and_kill(int round) {
    pthread_t thread;
    struct life *life = begin(&thread, round);
    compute(round % 4 * 20000);
    void *result;
    // It may have looked just before.
    while (pthread_tryjoin_np(thread, &result) == EBUSY) {
        pthread_kill(thread, SIGUSR1);
        nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    finish(life, result);
}

static const struct life_way {
    const char *name;
    void (*live)(struct life *);
} lives[] = {
    {"returns", return_value},
    {"exits", leave},
    {"exits-c11", leave_c11},
    {"pauses", wait_in_pause},
    {"reads", wait_in_read},
    {"sleeps", wait_in_sleep},
    {"waits-for-condition", wait_for_condition},
    {"waits-for-condition-until", wait_for_condition_until},
    {"waits-for-semaphore", wait_for_semaphore},
    {"joins", wait_for_thread},
    {"tests", look_for_cancellation},
    {"refuses-for-a-while", look_after_a_while},
    {"at-any-place", be_cancelled_anywhere},
    {"cancels-itself", cancel_itself},
};
static const struct end_way {
    const char *name;
    void (*end)(int round);
} ends[] = {
    {"pthread_join", and_join},
    {"pthread_tryjoin_np", and_try_to_join},
    {"pthread_timedjoin_np", and_join_in_time},
    {"pthread_clockjoin_np", and_join_by_clock},
    {"pthread_detach", and_detach},
    {"thrd_join", and_join_c11},
    {"pthread_cancel", and_cancel},
    {"pthread_kill", and_kill},
};
static void (*end)(int round);

static void make(void) {
    for (int round = 0; round < ROUNDS / 4; round++)
        end(round);
}

int main(int argc, char **argv) {
    check(argc == 3 ? 0 : EINVAL, "each_ending LIFE END");
    live = lives[PLACE(argv[1], lives)].live;
    end = ends[PLACE(argv[2], ends)].end;
    work = make;
    check(pipe(silent) ? errno : 0, "pipe");
    sem_init(&no_more, 0, 0);
    pthread_mutex_lock(&never_free);
    pthread_key_create(&key, note_end);
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    for (int number = 1; number <= MOST_THREADS; number *= 2)
        with_threads(number);
}
