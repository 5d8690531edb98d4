// Shows: two threads that take turns and wait for them in a loop without `pause`, or a call, each time; and a loop that looks
// the same, but counts in memory.
#include <pthread.h>
#include <stdio.h>

enum { ROUNDS = 5000 };

static volatile int turn;
static volatile long taken, delay;

static void *work(void *argument) {
    int me = (long)argument;
    for (int round = 0; round < ROUNDS; round++) {
        while (turn != me)
            ;
        taken++;
        turn = !me;
    }
    for (delay = 0; delay < 30000000; delay++)
        ;
    return NULL;
}

int main(void) {
    pthread_t other;
    pthread_create(&other, NULL, work, (void *)1);
    work((void *)0);
    pthread_join(other, NULL);
    printf("%ld turns\n", taken);
    return 0;
}
