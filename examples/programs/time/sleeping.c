// Shows: sleeps, relative and absolute, and the clock afterwards. A replay need not sleep; it must say the same.
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    struct timespec now, pause = {0, 20000000};
    if (nanosleep(&pause, NULL))
        err(1, "nanosleep");
    if (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL))
        errx(1, "relative clock_nanosleep");
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("slept twice, now %ld.%09ld\n", now.tv_sec, now.tv_nsec);
    now.tv_nsec += 20000000;
    if (now.tv_nsec >= 1000000000)
        now.tv_sec++, now.tv_nsec -= 1000000000;
    if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL))
        errx(1, "absolute clock_nanosleep");
    usleep(1000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("slept four times, now %ld.%09ld\n", now.tv_sec, now.tv_nsec);
    struct timespec nonsense = {0, -1};
    if (nanosleep(&nonsense, NULL) != -1 || errno != EINVAL)
        errx(1, "slept for -1 ns");
    return 0;
}
