// Shows: threads that are stopped, and interrupted by a signal, before they have made their first call.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

enum { THREADS = 3, ROUNDS = 30 * 1000 * 1000, STACK = 64 << 10 };

static volatile unsigned long counted, ticks, mixed;
static volatile int done[THREADS];

static void tick(int signal) {
    ticks++;
    mixed = mixed * 31 + counted;
}

static int compute(void *argument) {
    for (int round = 0; round < ROUNDS; round++)
        counted++;
    *(volatile int *)argument = 1;
    return 0;
}

int main(void) {
    struct itimerval often = {{0, 3000}, {0, 3000}};
    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &often, NULL);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    for (int i = 0; i < THREADS; i++)
        clone(compute, (char *)aligned_alloc(16, STACK) + STACK, flags, (void *)&done[i]);
    for (int i = 0; i < THREADS; i++)
        while (!done[i])
            __builtin_ia32_pause();
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("%lu of %d, %lu ticks, %lx\n", counted, THREADS * ROUNDS, ticks, mixed);
    return 0;
}
