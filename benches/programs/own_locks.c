// Two threads that each take a lock of their own, as often as the argument says.
#include <pthread.h>
#include <stdlib.h>

static long rounds;

static struct { pthread_mutex_t mutex; } __attribute__((aligned(128))) own[2];

static void *work(void *argument) {
    pthread_mutex_t *mutex = argument;
    for (long i = 0; i < rounds; i++) {
        pthread_mutex_lock(mutex);
        pthread_mutex_unlock(mutex);
    }
    return 0;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    rounds = atol(arguments[1]);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, work, &own[i].mutex);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
}
