// So many threads as the argument says, which together make the same number of locks and calls, and compute between them.
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 240000, LOCKS = 16 };

static struct { pthread_mutex_t mutex; unsigned long counted; } __attribute__((aligned(128))) shared[LOCKS];
static int threads;

static void *work(void *argument) {
    unsigned long state = (unsigned long)argument + 1;
    for (int i = 0; i < ROUNDS / threads; i++) {
        for (int j = 0; j < 500; j++) state = state * 6364136223846793005 + 1442695040888963407;
        int chosen = state >> 60;
        pthread_mutex_lock(&shared[chosen].mutex);
        shared[chosen].counted++;
        pthread_mutex_unlock(&shared[chosen].mutex);
        if (i % 4 == 0) getppid();
    }
    return NULL;
}

int main(int count, char **arguments) {
    threads = count == 2 ? atoi(arguments[1]) : 0;
    if (threads < 1 || threads > 64) return 2;
    pthread_t all[64];
    for (int i = 0; i < LOCKS; i++) pthread_mutex_init(&shared[i].mutex, NULL);
    for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, (void *)i);
    for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
    unsigned long sum = 0;
    for (int i = 0; i < LOCKS; i++) sum += shared[i].counted;
    return sum != (unsigned long)(ROUNDS / threads * threads);
}
