// Shows: two hundred short children, one after the other and then twenty at once.
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int status, failed = 0, sum = 0;
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/true", "true", NULL);
            _exit(127);
        }
        if (waitpid(child, &status, 0) != child)
            err(1, "waitpid");
        failed += status != 0;
        sum ^= child;
    }
    printf("%d failed, ids %x\n", failed, sum);
    for (int i = 0; i < 20; i++)
        if (fork() == 0)
            _exit(i);
    // Which ends first is the scheduler's choice.
    for (int i = 0; i < 20; i++) {
        pid_t child = wait(&status);
        printf("%d %d\n", child, WEXITSTATUS(status));
    }
    return failed;
}
