// Shows: every way to ask what time it is, through the vDSO and as a system call. Two reads of a clock must also
// keep their order, and their distance, in a replay.
#include <err.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const struct {
    clockid_t id;
    const char *name;
} clocks[] = {
    {CLOCK_REALTIME, "realtime"},
    {CLOCK_MONOTONIC, "monotonic"},
    {CLOCK_PROCESS_CPUTIME_ID, "process"},
    {CLOCK_THREAD_CPUTIME_ID, "thread"},
    {CLOCK_MONOTONIC_RAW, "raw"},
    {CLOCK_REALTIME_COARSE, "realtime coarse"},
    {CLOCK_MONOTONIC_COARSE, "monotonic coarse"},
    {CLOCK_BOOTTIME, "boot"},
    {CLOCK_TAI, "tai"},
};

int main(void) {
    struct timespec time_read, resolution;
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        if (clock_gettime(clocks[i].id, &time_read) || clock_getres(clocks[i].id, &resolution))
            err(1, "%s", clocks[i].name);
        printf("%-16s %ld.%09ld, resolution %ld ns\n", clocks[i].name, time_read.tv_sec, time_read.tv_nsec,
               resolution.tv_nsec);
        if (syscall(SYS_clock_gettime, clocks[i].id, &time_read))
            err(1, "system call for %s", clocks[i].name);
        printf("%-16s %ld.%09ld, by system call\n", clocks[i].name, time_read.tv_sec, time_read.tv_nsec);
    }
    struct timeval now;
    struct timezone zone;
    if (gettimeofday(&now, &zone))
        err(1, "gettimeofday");
    time_t stored;
    printf("gettimeofday %ld.%06ld, %d minutes west\n", now.tv_sec, now.tv_usec, zone.tz_minuteswest);
    printf("time %ld", time(&stored));
    printf(" %ld %ld\n", stored, syscall(SYS_time, NULL));
    long earlier = 0;
    for (int i = 0; i < 1000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &time_read);
        long nanoseconds = time_read.tv_sec * 1000000000 + time_read.tv_nsec;
        if (nanoseconds < earlier)
            errx(1, "the monotonic clock went back");
        earlier = nanoseconds;
    }
    printf("after a thousand reads %ld\n", earlier);
    if (clock_gettime(12345, &time_read) == 0)
        errx(1, "clock 12345 exists");
    warn("clock 12345");
    return 0;
}
