// Shows: a thread that spins for what a signal handler sets, while another one counts: no system call in either.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { ALARMS = 3 };

static volatile sig_atomic_t alarms;
static atomic_long counter;
static atomic_int is_done;
static long at[ALARMS];

static void handle(int signal) {
    at[alarms] = atomic_load(&counter);
    alarms++;
}

static void *count(void *unused) {
    while (!is_done)
        counter++;
    return unused;
}

int main(void) {
    pthread_t other;
    sigset_t alarm;
    signal(SIGALRM, handle);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    pthread_create(&other, NULL, count, NULL);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    for (int i = 0; i < ALARMS; i++) {
        ualarm(10000, 0);
        while (alarms == i)
            ;
    }
    is_done = 1;
    pthread_join(other, NULL);
    printf("counted %ld, at the alarms %ld %ld %ld\n", counter, at[0], at[1], at[2]);
    return 0;
}
