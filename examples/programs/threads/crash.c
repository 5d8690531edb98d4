// Shows: a thread crashes while others are at work; how is the first argument. What was printed before stays.
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *how;
static volatile long counter;

static int overflow(volatile char *before) {
    volatile char some[1000];
    some[0] = before[0];
    return overflow(some) + some[0];
}

static void *crash(void *unused) {
    char line[64];
    while (counter < 1000)
        sched_yield();
    write(1, line, snprintf(line, sizeof line, "crashing at %ld\n", counter));
    if (!strcmp(how, "abort"))
        abort();
    assert(strcmp(how, "assert") != 0);
    if (!strcmp(how, "stack-overflow"))
        overflow("");
    *(volatile int *)(counter / 1000000000) = 1;
    return NULL;
}

static void *work(void *unused) {
    for (;;) {
        counter++;
        if (counter % 100 == 0)
            usleep(10);
    }
}

int main(int count, char **words) {
    how = count > 1 ? words[1] : "";
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, work, NULL);
    pthread_create(&threads[1], NULL, crash, NULL);
    pthread_join(threads[1], NULL);
    return 0;
}
