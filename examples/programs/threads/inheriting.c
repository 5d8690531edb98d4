// Shows: signals with handlers that do not ask for restarts come while threads wait for a mutex that hands on priorities; nobody
// else has it who gets it.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS = 200 };

static pthread_mutex_t mutex;
static int inside, finished;
static unsigned long order;
static volatile sig_atomic_t signals;

static void handle(int number) { signals += number == SIGUSR1; }

static void *run(void *argument) {
    for (int round = 0; round < ROUNDS; round++) {
        if (pthread_mutex_lock(&mutex) || inside++)
            abort();
        order = order * 31 + (unsigned long)argument;
        for (volatile int i = 0; i < 2000; i++)
            ;
        if (--inside || pthread_mutex_unlock(&mutex))
            abort();
    }
    pthread_mutex_lock(&mutex);
    finished++;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex, &attributes);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, (void *)i);
    for (int round = 0, all = 0; !all; round++) {
        pthread_kill(threads[round % THREADS], SIGUSR1);
        pthread_mutex_lock(&mutex);
        all = finished == THREADS;
        pthread_mutex_unlock(&mutex);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%lx %d\n", order, signals > 0);
}
