// Shows: random numbers seeded by the processor's time stamp counter, in several threads.
#include <pthread.h>
#include <stdio.h>
#include <x86intrin.h>

static void *draw(void *unused) {
    unsigned long state = __rdtsc();
    for (int i = 0; i < 1000; i++)
        state = state * 6364136223846793005 + 1442695040888963407;
    unsigned processor;
    return (void *)(state ^ __rdtscp(&processor));
}

int main(void) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, draw, NULL);
    for (int i = 0; i < 3; i++) {
        void *drawn;
        pthread_join(threads[i], &drawn);
        printf("%lx\n", (unsigned long)drawn);
    }
    return 0;
}
