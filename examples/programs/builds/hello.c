// Shows: one program built in several ways (with and without PIE, hardened, static): addresses and a clock.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int variable = 1;

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("main is at %p, data at %p, process %d, time %ld.%09ld\n", (void *)main, (void *)&variable, getpid(),
           now.tv_sec, now.tv_nsec);
    return 0;
}
