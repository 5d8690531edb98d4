// Shows: a timer's signals in two threads that only count: which thread gets each, and how far both were then.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static volatile long counters[2];
static volatile int signals;
static __thread int me;

static void handler(int signal) {
    char line[96];
    write(1, line, snprintf(line, sizeof line, "signal %d in %d at %ld %ld\n", ++signals, me, counters[0], counters[1]));
}

static void *count(void *argument) {
    me = (long)argument;
    while (signals < 20)
        counters[me]++;
    return NULL;
}

int main(void) {
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART}, NULL);
    pthread_t other;
    pthread_create(&other, NULL, count, (void *)1);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    count((void *)0);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    pthread_join(other, NULL);
    printf("%ld %ld\n", counters[0], counters[1]);
    return 0;
}
