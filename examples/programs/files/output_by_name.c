// Shows: standard output and error opened again by name, as programs do whose log file is /dev/stdout.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *name, int flags) {
    int file = open(name, flags);
    if (file < 0)
        err(1, "%s", name);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    dprintf(file, "%s at %ld\n", name, now.tv_nsec);
    close(file);
}

int main(void) {
    char named[40];
    snprintf(named, sizeof named, "/proc/%d/fd/2", getpid());
    if (symlink("/dev/stdout", "log"))
        err(1, "symlink");
    say("/dev/stdout", O_WRONLY | O_APPEND);
    say("/dev/stderr", O_WRONLY);
    say("/dev/fd/1", O_RDWR | O_CREAT);
    say("log", O_WRONLY | O_CREAT | O_TRUNC);
    say(named, O_WRONLY);
    FILE *file = fopen("/proc/self/fd/1", "a");
    fputs("through a stream\n", file);
    fclose(file);
    // What is not the output must not appear there.
    say("/dev/null", O_WRONLY);
    // Somebody who has closed it gets it back.
    fflush(stdout);
    int kept = dup(1);
    snprintf(named, sizeof named, "/dev/fd/%d", kept);
    close(1);
    if (fork() == 0) {
        close(2);
        say(named, O_WRONLY);
        execl("/bin/sh", "sh", "-c", "echo from a shell >>log", NULL);
    }
    wait(NULL);
    return 0;
}
