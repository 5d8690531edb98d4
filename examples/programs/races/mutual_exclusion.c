// Shows: Dekker's and Peterson's mutual exclusion for two threads. Without fences (-DFENCE=) the processor's store
// buffer may let both in at once, and the counter that they protect loses updates.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifndef FENCE
#define FENCE __sync_synchronize()
#endif

#ifndef ROUNDS
#define ROUNDS 200000
#endif

static volatile int wants[2], turn, counter, last = -1, changes;
static int is_peterson;

static void lock_dekker(int me) {
    wants[me] = 1;
    FENCE;
    while (wants[!me]) {
        if (turn == me)
            continue;
        wants[me] = 0;
        while (turn != me)
            ;
        wants[me] = 1;
        FENCE;
    }
}

static void lock_peterson(int me) {
    wants[me] = 1;
    turn = !me;
    FENCE;
    while (wants[!me] && turn == !me)
        ;
}

static void *work(void *argument) {
    int me = (long)argument;
    for (int i = 0; i < ROUNDS; i++) {
        is_peterson ? lock_peterson(me) : lock_dekker(me);
        counter++;
        changes += last != me;
        last = me;
        turn = !me;
        __asm__ volatile("" ::: "memory");
        wants[me] = 0;
    }
    return NULL;
}

int main(int count, char **words) {
    is_peterson = count > 1 && !strcmp(words[1], "peterson");
    pthread_t other;
    pthread_create(&other, NULL, work, (void *)1);
    work((void *)0);
    pthread_join(other, NULL);
    printf("%d, %d lost, %d changes of owner, the last was %d\n", counter, 2 * ROUNDS - counter, changes, last);
    return 0;
}
