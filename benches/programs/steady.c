// Makes the same calls over and over, a thousand times a second, until so many seconds are over.
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 2) return 2;
    int random = open("/dev/urandom", O_RDONLY), sink = open("/dev/null", O_WRONLY);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long left = atol(arguments[1]) * 1000; left > 0; left--) {
        char data[64];
        if (read(random, data, sizeof data) != sizeof data || write(sink, data, sizeof data) != sizeof data) return 1;
        getppid();
        next.tv_nsec += 1000000;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return 0;
}
