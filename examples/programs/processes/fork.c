// Shows: forked children that compute from random inputs and answer through pipes and exit statuses.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int ends[2];
    if (pipe(ends))
        err(1, "pipe");
    for (int i = 0; i < 5; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child < 0)
            err(1, "fork");
        if (child == 0) {
            unsigned number;
            if (getrandom(&number, sizeof number, 0) != sizeof number)
                err(1, "getrandom");
            dprintf(ends[1], "child %d of %d chose %u\n", i, getppid(), number);
            // What a child inherits in its buffers it must flush itself.
            printf("buffered in child %d\n", i);
            exit(i * 10);
        }
        int status;
        char text[200] = "";
        if (waitpid(child, &status, 0) != child || read(ends[0], text, sizeof text) <= 0)
            err(1, "child %d", i);
        printf("%d exited with %d: %s", child, WEXITSTATUS(status), text);
    }
    return 0;
}
