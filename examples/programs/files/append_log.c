// Shows: a log on standard output through several descriptors that share a position, and in a file with O_APPEND.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void log_to(int file, int line) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    dprintf(file, "%ld.%09ld line %d on descriptor %d\n", now.tv_sec, now.tv_nsec, line, file);
}

int main(void) {
    int copy = dup(1), high = fcntl(1, F_DUPFD_CLOEXEC, 100);
    int appended = open("log", O_CREAT | O_WRONLY | O_APPEND, 0600), other = open("log", O_WRONLY | O_APPEND);
    for (int line = 0; line < 20; line++) {
        log_to(1, line), log_to(copy, line), log_to(high, line), log_to(2, line);
        log_to(appended, line), log_to(other, line);
    }
    // Standard output is now the file; what was standard output is still there as the copy.
    if (dup2(appended, 1) != 1)
        err(1, "dup2");
    puts("this goes to the file");
    fflush(stdout);
    if (dup2(copy, 1) != 1)
        err(1, "dup2 back");
    char text[8192];
    int reader = open("log", O_RDONLY);
    ssize_t length = read(reader, text, sizeof text);
    return write(1, text, length) != length;
}
