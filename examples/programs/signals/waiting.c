// Shows: signals that are waited for rather than handled at once: pending, sigsuspend, sigwaitinfo, sigtimedwait.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void handle(int signal) { handled = signal; }

int main(void) {
    sigset_t blocked, old, none;
    sigemptyset(&blocked), sigemptyset(&none);
    sigaddset(&blocked, SIGUSR1), sigaddset(&blocked, SIGUSR2), sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    signal(SIGUSR1, handle), signal(SIGCHLD, handle);
    raise(SIGUSR1);
    sigset_t pending;
    sigpending(&pending);
    printf("pending %d, handled %d\n", sigismember(&pending, SIGUSR1), handled);
    printf("sigsuspend %d, handled %d\n", sigsuspend(&none), handled);
    if (fork() == 0)
        exit(5);
    siginfo_t information;
    int signal = sigwaitinfo(&(sigset_t){{1ul << (SIGCHLD - 1)}}, &information);
    printf("sigwaitinfo %d: status %d\n", signal, information.si_status);
    wait(NULL);
    if (fork() == 0) {
        kill(getppid(), SIGUSR2);
        exit(0);
    }
    if (sigwait(&(sigset_t){{1ul << (SIGUSR2 - 1)}}, &signal))
        errx(1, "sigwait");
    printf("sigwait %d\n", signal);
    wait(NULL);
    sigtimedwait(&(sigset_t){{1ul << (SIGCHLD - 1)}}, &information, &(struct timespec){5, 0});
    signal = sigtimedwait(&(sigset_t){{1ul << (SIGUSR2 - 1)}}, &information, &(struct timespec){0, 10000000});
    printf("sigtimedwait %d %d\n", signal, errno == EAGAIN);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return 0;
}
