// Shows: every way to wait, for every way to end: statuses, signals, stops, usage of the child.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child_that(void (*ends)(int), int how) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        ends(how);
        pause();
    }
    return child;
}

static void die(int signal) { raise(signal); }

int main(void) {
    int status;
    struct rusage usage;
    siginfo_t information;
    pid_t child = child_that(exit, 17);
    printf("wait %d", wait(&status) == child);
    printf(" %x\n", status);
    child = child_that(die, SIGTERM);
    printf("wait4 %d", wait4(child, &status, 0, &usage) == child);
    printf(" %x, %ld faults\n", status, usage.ru_minflt);
    child = child_that(_exit, 255);
    if (waitid(P_PID, child, &information, WEXITED | WNOWAIT))
        err(1, "waitid");
    printf("waitid %d %d %d\n", information.si_pid == child, information.si_code, information.si_status);
    printf("once more %d\n", waitpid(child, &status, 0) == child);
    child = child_that(die, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    printf("nothing yet %d\n", waitpid(child, &status, WNOHANG));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("continued %d\n", WIFCONTINUED(status));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    printf("killed by %d\n", WTERMSIG(status));
    child = child_that(die, SIGABRT);
    waitid(P_ALL, 0, &information, WEXITED);
    printf("waitid %d %d %d\n", information.si_pid == child, information.si_code, information.si_status);
    pid_t nobody = wait(&status);
    printf("nobody left %d %d\n", nobody, errno == ECHILD);
    return 0;
}
