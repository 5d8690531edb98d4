// Shows: processes by descriptor: pidfd_open, pidfd_send_signal, waiting with poll, clone with a pidfd.
#include <err.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(1);
    }
    int descriptor = syscall(SYS_pidfd_open, child, 0);
    if (descriptor < 0 || syscall(SYS_pidfd_send_signal, descriptor, SIGTERM, NULL, 0))
        err(1, "pidfd");
    struct pollfd polled = {descriptor, POLLIN, 0};
    printf("poll %d\n", poll(&polled, 1, -1));
    siginfo_t information;
    if (waitid(P_PIDFD, descriptor, &information, WEXITED))
        err(1, "waitid");
    printf("%d died of %d\n", information.si_pid == child, information.si_status);
    int other = -1;
    fflush(stdout);
    child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &other, NULL, 0);
    if (child < 0)
        err(1, "clone");
    if (child == 0)
        _exit(12);
    if (waitid(P_PIDFD, other, &information, WEXITED))
        err(1, "waitid");
    printf("%d on descriptor %d exited with %d\n", information.si_pid == child, other, information.si_status);
    return 0;
}
