// Shows: a timer's signals while malloc, free and printf are at work, in one thread or (with an argument) in two.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static volatile long rounds, hash;
static volatile int signals;

static void handler(int signal) {
    signals++;
    hash = hash * 31 + rounds;
}

static void *allocate(void *unused) {
    void *blocks[64] = {0};
    char line[100];
    for (unsigned i = 0; signals < 20; i++) {
        unsigned slot = i * 7 % 64;
        free(blocks[slot]);
        blocks[slot] = malloc(i * 37 % 3000);
        snprintf(line, sizeof line, "%d %p %f", i, blocks[slot], i / 7.0);
        if (i % 20000 == 0)
            puts(line);
        rounds++;
    }
    return NULL;
}

int main(int count, char **words) {
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART}, NULL);
    pthread_t other;
    if (count > 1)
        pthread_create(&other, NULL, allocate, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL);
    allocate(NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    if (count > 1)
        pthread_join(other, NULL);
    printf("%ld rounds, %lx\n", rounds, hash);
    return 0;
}
