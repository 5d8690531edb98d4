// Shows: system calls that a signal from another process interrupts: with SA_RESTART they go on, without they fail.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static void note(int signal) {
    (void)signal;
    seen++;
}

// Whether the parent sleeps for a pipe. Kernels that don't tell for what ("0") tell whether it sleeps.
static int parent_reads(void) {
    char path[64], state, where[64] = "0";
    snprintf(path, sizeof path, "/proc/%d/stat", getppid());
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        err(1, "%s", path);
    fclose(file);
    snprintf(path, sizeof path, "/proc/%d/wchan", getppid());
    if ((file = fopen(path, "r"))) {
        if (fscanf(file, "%63s", where) != 1)
            strcpy(where, "0");
        fclose(file);
    }
    return state == 'S' && (strstr(where, "pipe") || !strcmp(where, "0"));
}

// A child that signals its parent once the parent sleeps in a call, and then writes to the pipe.
static pid_t disturber(int pipe_end, int times) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < times; i++) {
            while (!parent_reads())
                ;
            kill(getppid(), SIGUSR1);
            usleep(5000);
        }
        exit(write(pipe_end, "data", 4) != 4);
    }
    return child;
}

int main(void) {
    int ends[2], status;
    char text[8];
    if (pipe(ends))
        err(1, "pipe");
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    disturber(ends[1], 3);
    ssize_t length = read(ends[0], text, sizeof text);
    printf("restarted: %zd after %d signals\n", length, seen);
    wait(&status);
    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, NULL);
    disturber(ends[1], 1);
    length = read(ends[0], text, sizeof text);
    printf("not restarted: %zd %s\n", length, length < 0 ? strerror(errno) : "");
    while (length < 0)
        length = read(ends[0], text, sizeof text);
    while (wait(&status) < 0 && errno == EINTR)
        ;
    printf("then %zd, child %d\n", length, status);
    return 0;
}
