// Shows: the program's own use of the signals that a recorder lives on: SIGSYS, SIGSEGV and SIGTRAP are handled,
// ignored, blocked, sent by kill, and left at their defaults, and none of it may disturb anybody.
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int count;

static void handle(int signal, siginfo_t *information, void *context) {
    (void)context;
    count++;
    printf("signal %d code %d\n", signal, information->si_code);
}

int main(void) {
    int signals[] = {SIGSYS, SIGSEGV, SIGTRAP, SIGILL, SIGBUS, SIGFPE};
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO}, old;
    sigset_t all, before;
    sigfillset(&all);
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], NULL, &old);
        printf("%d is %s\n", signals[i], old.sa_handler == SIG_DFL ? "default" : "changed");
        sigaction(signals[i], &action, NULL);
        kill(getpid(), signals[i]), raise(signals[i]);
        // All blocked, also those: calls and clocks must go on working.
        sigprocmask(SIG_SETMASK, &all, &before);
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        raise(signals[i]);
        sigset_t pending;
        sigpending(&pending);
        printf("pending %d\n", sigismember(&pending, signals[i]));
        sigprocmask(SIG_SETMASK, &before, &all);
        printf("was blocked %d\n", sigismember(&all, signals[i]));
        signal(signals[i], SIG_IGN);
        kill(getpid(), signals[i]);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            signal(signals[i], SIG_DFL);
            raise(signals[i]);
            _exit(1);
        }
        int status;
        waitpid(child, &status, 0);
        printf("by default it kills: %d\n", WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
    }
    printf("%d handled\n", count);
    return 0;
}
