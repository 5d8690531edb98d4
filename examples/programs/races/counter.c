// Shows: a data race: threads add to one plain counter, and updates are lost or not as the scheduler has it.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

enum { THREADS = 4, ROUNDS = 2000000 };

// Volatile, or the optimiser would make one addition of the loop.
static volatile int counter;

static void *add(void *number) {
    for (int i = 0; i < ROUNDS; i++) {
        counter++;
        if (i % 500000 == (long)number)
            sched_yield();
    }
    return (void *)(long)counter;
}

int main(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *seen;
        pthread_join(threads[i], &seen);
        printf("thread %d left at %ld\n", i, (long)seen);
    }
    printf("%d, %d lost\n", counter, THREADS * ROUNDS - counter);
    return 0;
}
