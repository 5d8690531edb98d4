// Shows: signals queued with values to the process and to single threads: some wait for them by sigwaitinfo, one takes
// them in a handler while it sleeps. Who gets which of the process's is chance.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { WAITERS = 2, SIGNALS = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile sig_atomic_t handled, is_done;

static void handle(int signal) { handled++; }

static void *wait_for_signals(void *me) {
    sigset_t set;
    siginfo_t information;
    sigemptyset(&set), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGRTMIN + 1);
    for (;;) {
        int signal = sigwaitinfo(&set, &information);
        if (signal == SIGRTMIN + 1)
            return NULL;
        pthread_mutex_lock(&lock);
        printf("thread %ld got value %d\n", (long)me, information.si_value.sival_int);
        pthread_mutex_unlock(&lock);
    }
}

static void *sleep_interrupted(void *unused) {
    while (!is_done)
        usleep(500);
    return NULL;
}

int main(void) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGRTMIN + 1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle}, NULL);
    pthread_t waiters[WAITERS], sleeper;
    for (long i = 0; i < WAITERS; i++)
        pthread_create(&waiters[i], NULL, wait_for_signals, (void *)i);
    pthread_create(&sleeper, NULL, sleep_interrupted, NULL);
    for (int i = 0; i < SIGNALS; i++) {
        sigqueue(getpid(), SIGRTMIN, (union sigval){i});
        if (i % 2)
            pthread_sigqueue(waiters[i / 2 % WAITERS], SIGRTMIN, (union sigval){100 + i});
        pthread_kill(sleeper, SIGUSR1);
        usleep(i % 3 * 100);
    }
    for (int i = 0; i < WAITERS; i++)
        pthread_kill(waiters[i], SIGRTMIN + 1);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(waiters[i], NULL);
    is_done = 1;
    pthread_join(sleeper, NULL);
    printf("%d handled\n", handled);
    return 0;
}
