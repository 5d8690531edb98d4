// Shows: a child that outlives its parent and goes on writing to the same output.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void) {
    int ends[2];
    char byte;
    if (pipe(ends))
        err(1, "pipe");
    printf("parent %d\n", getpid());
    fflush(stdout);
    if (fork() == 0) {
        close(ends[1]);
        // The end of this pipe is the parent's death.
        if (read(ends[0], &byte, 1) != 0)
            errx(1, "the pipe has data");
        printf("the orphan %d has another parent: %d\n", getpid(), getppid());
        exit(0);
    }
    puts("the parent leaves first");
    return 0;
}
