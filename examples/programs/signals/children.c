// Shows: SIGCHLD: children are reaped in a handler while the parent does something else that blocks.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t reaped, sum;

static void reap(int signal) {
    int saved = errno, status;
    (void)signal;
    while (waitpid(-1, &status, WNOHANG) > 0)
        reaped++, sum += WEXITSTATUS(status);
    errno = saved;
}

int main(void) {
    struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    for (int i = 0; i < 10; i++)
        if (fork() == 0) {
            usleep(2000 * i);
            exit(i);
        }
    sigset_t child, old;
    sigemptyset(&child), sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &old);
    while (reaped < 10)
        sigsuspend(&old);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("%d reaped, sum %d\n", reaped, sum);
    action.sa_handler = SIG_IGN;
    sigaction(SIGCHLD, &action, NULL);
    if (fork() == 0)
        exit(1);
    pid_t nobody = wait(NULL);
    printf("nobody to wait for: %d %d\n", nobody, errno == ECHILD);
    return 0;
}
