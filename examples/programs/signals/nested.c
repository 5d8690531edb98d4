// Shows: handlers within handlers, handlers that change handlers (their own too), and the masks of ppoll and pselect.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int depth, deepest, generation;

static void second(int signal);

static void inner(int signal) {
    if (++depth > deepest)
        deepest = depth;
    if (depth < 5)
        raise(SIGUSR1 + SIGUSR2 - signal);
    depth--;
}

static void first(int number) {
    generation++;
    signal(SIGALRM, second);
}

static void second(int number) {
    generation += 10;
    signal(SIGALRM, first);
    raise(SIGUSR1);
}

int main(void) {
    struct sigaction action = {.sa_handler = inner, .sa_flags = SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL), sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR1);
    printf("deepest %d\n", deepest);
    signal(SIGALRM, first);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 2000}, {0, 2000}}, NULL);
    sigset_t blocked, none;
    sigemptyset(&blocked), sigemptyset(&none), sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (int i = 0; i < 4; i++) {
        int result = i % 2 ? ppoll(NULL, 0, NULL, &none) : pselect(0, NULL, NULL, NULL, NULL, &none);
        printf("wait %d: %d, interrupted %d, generation %d\n", i, result, errno == EINTR, generation);
    }
    int before = generation;
    int result = ppoll(NULL, 0, &(struct timespec){0, 5000000}, &blocked);
    printf("blocked: %d, changed %d\n", result, generation != before);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    return 0;
}
