// Shows: a program that closes every descriptor that it does not know, as daemons do, in each way there is. A
// recorder's descriptors must survive and must not be counted.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void still_there(const char *after) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("after %s: lowest is %d", after, open("/dev/null", O_RDONLY));
    printf(", the time is %ld.%09ld\n", now.tv_sec, now.tv_nsec);
}

int main(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    long end = limit.rlim_cur < 100000 ? limit.rlim_cur : 100000;
    int closed = 0;
    for (long i = 3; i < end; i++)
        closed += close(i) == 0;
    printf("close found %d open\n", closed);
    still_there("close");
    closefrom(3);
    still_there("closefrom");
    if (close_range(3, ~0u, 0))
        err(1, "close_range");
    still_there("close_range");
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC))
        err(1, "close_range with CLOSE_RANGE_CLOEXEC");
    fflush(stdout);
    for (long i = 3; i < end; i += 7)
        if (dup2(1, i) != i)
            err(1, "dup2 to %ld", i);
    for (long i = 3; i < end; i += 1001)
        if (i % 7 == 3 && dprintf(i, "on descriptor %ld\n", i) < 0)
            err(1, "descriptor %ld", i);
    closefrom(3);
    still_there("a dup2 sweep");
    return close(12345) == 0 || errno != EBADF;
}
