// Shows: a signal that waits until one handler has returned, but not yet when the handler above that one has.
#include <signal.h>
#include <stdio.h>

static volatile int depth;
static volatile unsigned long seen;

static void note(int signal) {
    seen = seen * 100 + depth * 10 + (signal == SIGUSR1 ? 1 : signal == SIGUSR2 ? 2 : 3);
}

static void inner(int signal) {
    depth++;
    note(signal);
    depth--;
}

static void outer(int signal) {
    depth++;
    note(signal);
    raise(SIGALRM);
    raise(SIGUSR2);
    depth--;
}

int main(void) {
    struct sigaction action = {.sa_handler = outer};
    sigaddset(&action.sa_mask, SIGALRM);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, inner);
    signal(SIGALRM, note);
    for (int round = 0; round < 3; round++) {
        raise(SIGUSR1);
        printf("%lu\n", seen);
        seen = 0;
    }
    return 0;
}
