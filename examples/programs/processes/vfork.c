// Shows: vfork: the child runs in the parent's memory, and on its stack, until it execs or exits.
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    volatile int written_by_child = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    pid_t child = vfork();
    if (child == 0) {
        written_by_child = 42;
        _exit(7);
    }
    int status;
    waitpid(child, &status, 0);
    printf("the child wrote %d and exited with %d\n", written_by_child, WEXITSTATUS(status));
    for (int i = 0; i < 5; i++) {
        child = vfork();
        if (child == 0) {
            execl("/bin/sh", "sh", "-c", "echo $0 has $$; exit 3", NULL);
            _exit(127);
        }
        if (waitpid(child, &status, 0) != child)
            err(1, "waitpid");
        printf("%d exited with %d\n", child, WEXITSTATUS(status));
    }
    child = vfork();
    if (child == 0) {
        execl("/does/not/exist", "nothing", NULL);
        _exit(126);
    }
    waitpid(child, &status, 0);
    printf("a missing program: %d\n", WEXITSTATUS(status));
    return 0;
}
