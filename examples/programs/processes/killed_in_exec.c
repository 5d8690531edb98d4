// Shows: a process dies of a signal after execve has thrown its old program away and before the new one has begun.
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int status;
    if (fork() == 0) {
        // No room for the new program's mappings: the kernel notices when it cannot go back any more.
        setrlimit(RLIMIT_AS, &(struct rlimit){4096, 4096});
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    wait(&status);
    printf("%s %d\n", WIFSIGNALED(status) ? "killed by" : "ended with", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return 0;
}
