// Shows: a program that raises RLIMIT_NOFILE and uses the highest descriptors, where a recorder's own may be.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

int main(void) {
    struct rlimit limit, small = {64, 64};
    if (getrlimit(RLIMIT_NOFILE, &limit))
        err(1, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        err(1, "setrlimit");
    printf("%lu descriptors\n", limit.rlim_cur);
    unsigned long end = limit.rlim_cur;
    for (int i = 1; i <= 20; i++) {
        int high = dup2(1, end - i);
        if (high < 0)
            err(1, "dup2 to %lu", end - i);
        if (dprintf(high, "on the %dth from the top\n", i) < 0)
            err(1, "write to %d", high);
    }
    printf("fcntl gives %d\n", fcntl(0, F_DUPFD, (int)end - 40) >= (int)end - 40);
    small.rlim_max = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &small))
        err(1, "setrlimit down");
    int last = 0, next;
    while ((next = dup(0)) >= 0)
        last = next;
    printf("the last one is %d\n", last);
    return 0;
}
