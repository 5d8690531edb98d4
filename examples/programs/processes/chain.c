// Shows: a process that replaces itself again and again, carrying its state in arguments and open descriptors.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int step = count > 1 ? atoi(arguments[1]) : 0, kept = count > 2 ? atoi(arguments[2]) : -1;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("step %d of process %d at %ld.%09ld\n", step, getpid(), now.tv_sec, now.tv_nsec);
    fflush(stdout);
    if (step == 0) {
        int ends[2];
        if (pipe(ends) || write(ends[1], "0123456789", 10) != 10)
            err(1, "pipe");
        kept = ends[0];
    }
    char byte;
    if (read(kept, &byte, 1) != 1)
        err(1, "kept descriptor");
    printf("read %c from the descriptor that was kept\n", byte);
    fflush(stdout);
    if (step == 8)
        return 0;
    char next[20], descriptor[20];
    snprintf(next, sizeof next, "%d", step + 1);
    snprintf(descriptor, sizeof descriptor, "%d", kept);
    execl("/proc/self/exe", arguments[0], next, descriptor, NULL);
    err(1, "exec");
}
