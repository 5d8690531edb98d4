// Two threads that each take a lock of their own.
#include <pthread.h>

enum { ROUNDS = 20000000 };

static struct { pthread_mutex_t mutex; } __attribute__((aligned(128))) own[2];

static void *work(void *argument) {
    pthread_mutex_t *mutex = argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(mutex);
        pthread_mutex_unlock(mutex);
    }
    return 0;
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, work, &own[i].mutex);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
}
