// Shows: handlers for signals that the program sends itself: what they are told, masks, nesting, one-shot.
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int depth, deepest, count;

static void told(int signal, siginfo_t *information, void *context) {
    (void)context;
    count++;
    printf("signal %d code %d from %d (us: %d) value %d\n", signal, information->si_code, information->si_pid,
           information->si_pid == getpid(), information->si_code == SI_QUEUE ? information->si_value.sival_int : 0);
}

static void nested(int signal) {
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (depth < 5)
        raise(signal);
    depth--;
}

static void masked(int signal) {
    sigset_t blocked, pending;
    // The first run asks for a second one, which has to wait for the end of the first.
    if (depth == 0)
        raise(signal);
    sigprocmask(SIG_BLOCK, NULL, &blocked), sigpending(&pending);
    printf("in the handler: blocked %d %d, pending %d\n", sigismember(&blocked, signal),
           sigismember(&blocked, SIGUSR2), sigismember(&pending, signal));
    depth++;
}

static void install(int signal, void (*handler)(int), int flags, int also_blocked) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;
    sigemptyset(&action.sa_mask);
    if (also_blocked)
        sigaddset(&action.sa_mask, also_blocked);
    if (sigaction(signal, &action, NULL) || sigaction(signal, NULL, &old) || old.sa_handler != handler ||
        (old.sa_flags & ~0x04000000) != flags)
        errx(1, "the handler is not what was installed");
}

int main(void) {
    install(SIGUSR1, (void (*)(int))told, SA_SIGINFO, 0);
    raise(SIGUSR1), kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1234});
    install(SIGRTMIN + 3, (void (*)(int))told, SA_SIGINFO, 0);
    sigset_t real_time;
    sigemptyset(&real_time), sigaddset(&real_time, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &real_time, NULL);
    for (int i = 0; i < 5; i++)
        sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i});
    sigprocmask(SIG_UNBLOCK, &real_time, NULL);
    printf("%d came\n", count);
    install(SIGUSR2, nested, SA_NODEFER, 0);
    raise(SIGUSR2);
    printf("nested %d deep\n", deepest);
    depth = 0;
    install(SIGUSR1, masked, 0, SIGUSR2);
    raise(SIGUSR1);
    printf("ran %d times\n", depth);
    install(SIGUSR1, nested, SA_RESETHAND, 0);
    depth = 4;
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    printf("one-shot: default again %d\n", now.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    puts("ignored");
    return 0;
}
