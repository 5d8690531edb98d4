// Shows: interfaces that cannot be recorded, or not in every form, answer as an old kernel or a strict container
// would, so that programs fall back: io_uring. clone3 works in one form or another.
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    char parameters[120] = {0};
    long ring = syscall(SYS_io_uring_setup, 8, parameters);
    printf("io_uring: %s\n", ring < 0 ? "falls back" : "works");
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    pid_t child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0)
        _exit(0);
    if (child < 0 && errno == ENOSYS)
        child = fork();
    if (child == 0)
        _exit(0);
    printf("a child in one way or the other: %d\n", waitpid(child, NULL, 0) == child);
    int ends[2];
    if (pipe(ends) || write(ends[1], "read instead\n", 13) != 13)
        return 1;
    char text[20] = "";
    return read(ends[0], text, sizeof text) != 13 || printf("%s", text) != 13;
}
