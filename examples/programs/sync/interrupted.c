// Shows: signals that come while threads wait for a join, a condition, a semaphore and a mutex; handlers that jump out.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS = 40 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int turn;
static unsigned long order, posted;
static _Thread_local unsigned long signals;
static _Thread_local sigjmp_buf back;
static _Thread_local volatile sig_atomic_t jumps;
static unsigned long counted[THREADS];

static void handle(int signal) {
    signals = signals * 31 + signal;
    if (jumps) {
        jumps = 0;
        siglongjmp(back, 1);
    }
}

static void *run(void *argument) {
    long me = (long)argument;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != me) {
            pthread_cond_wait(&changed, &lock);
            order = order * 31 + me;
        }
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        int interrupted = 0;
        while (sem_wait(&semaphore)) {
            interrupted++;
        }
        pthread_mutex_lock(&held);
        posted = posted * 37 + me + interrupted;
        pthread_mutex_unlock(&held);
    }
    if (sigsetjmp(back, 1) == 0) {
        jumps = 1;
        for (;;) {
            pause();
        }
    }
    counted[me] = signals;
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle}, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handle, .sa_flags = SA_RESTART}, NULL);
    sem_init(&semaphore, 0, 0);
    for (long me = 0; me < THREADS; me++) {
        pthread_create(&threads[me], NULL, run, (void *)me);
    }
    for (int round = 0; round < ROUNDS * THREADS; round++) {
        pthread_mutex_lock(&held);
        pthread_kill(threads[round % THREADS], round % 2 ? SIGUSR1 : SIGALRM);
        pthread_kill(threads[(round + 1) % THREADS], SIGUSR1);
        pthread_mutex_unlock(&held);
        sem_post(&semaphore);
    }
    // In whatever they wait now; in the end it is pause.
    for (int me = 0; me < THREADS; me++) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        do {
            pthread_kill(threads[me], SIGUSR1);
            soon.tv_nsec += 2000000;
            soon.tv_sec += soon.tv_nsec / 1000000000;
            soon.tv_nsec %= 1000000000;
        } while (pthread_timedjoin_np(threads[me], NULL, &soon));
        printf("%lx\n", counted[me]);
    }
    printf("%lx %lx %d\n", order, posted, turn);
    return 0;
}
