// Shows: memory shared with a forked child, ordered by pipes: what one process stores the other reads.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int there[2], back[2];
    char byte;
    if (shared == MAP_FAILED || pipe(there) || pipe(back))
        err(1, "shared memory");
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10 && read(there[0], &byte, 1) == 1; i++) {
            snprintf(shared + 2048, 1000, "child %d saw: %.500s", getpid(), shared);
            if (write(back[1], "x", 1) != 1)
                err(1, "child");
        }
        exit(0);
    }
    for (int i = 0; i < 10; i++) {
        snprintf(shared, 2048, "parent's %d", i);
        if (write(there[1], "x", 1) != 1 || read(back[0], &byte, 1) != 1)
            err(1, "parent");
        puts(shared + 2048);
    }
    int status;
    return waitpid(child, &status, 0) != child || status;
}
