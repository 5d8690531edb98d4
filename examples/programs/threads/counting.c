// Shows: the ancestor's `threads`: two threads that do nothing but count, and print how far they have come.
#include <pthread.h>
#include <stdio.h>

enum { LINES = 20, BETWEEN = 4000000 };

static volatile long counts[2];

static void *count(void *argument) {
    long me = (long)argument;
    for (int i = 0; i < LINES; i++) {
        for (int j = 0; j < BETWEEN; j++)
            counts[me]++;
        printf("thread %ld at %ld, the other at %ld\n", me, counts[me], counts[!me]);
        fflush(stdout);
    }
    return NULL;
}

int main(void) {
    pthread_t other;
    pthread_create(&other, NULL, count, (void *)1);
    count((void *)0);
    pthread_join(other, NULL);
    return 0;
}
