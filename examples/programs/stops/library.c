// Shows: signals while libc works: blocks are allocated, filled, copied and freed, and the handler prints how many.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int signals;
static volatile long blocks, bytes;

static void handler(int signal) {
    char line[80];
    int length = snprintf(line, sizeof line, "signal %d after %ld blocks, %ld bytes\n", ++signals, blocks, bytes);
    write(1, line, length);
}

int main(void) {
    enum { KEPT = 64 };
    static char *kept[KEPT];
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    unsigned random = 1;
    while (signals < 20) {
        random = random * 1103515245 + 12345;
        unsigned place = random >> 16 & (KEPT - 1), size = 16 + (random >> 8 & 8191);
        char *block = malloc(size);
        memset(block, random >> 24, size);
        if (kept[place]) memcpy(block, kept[place], 16);
        free(kept[place]);
        kept[place] = block;
        blocks++;
        bytes += size;
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%ld %ld\n", blocks, bytes);
    return 0;
}
