// Runs a program and writes to a file how long it took and what it needed, since whoever starts this is too large to see
// that: the kernel counts the memory of the process that called exec to the most that the program had.
//   launch REPORT PROGRAM ARGUMENT...
// The report: nanoseconds, the most KiB that one process was resident with, the status of wait.
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    long long began = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[2], arguments + 2);
        perror(arguments[2]);
        _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    long long ended = now();
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    FILE *report = fopen(arguments[1], "w");
    if (report == NULL) return 1;
    fprintf(report, "%lld %ld %d\n", ended - began, usage.ru_maxrss, status);
    return fclose(report) != 0;
}
