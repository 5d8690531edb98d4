// Two threads that want the same lock, and have something to do with and without it.
#include <pthread.h>

enum { ROUNDS = 1000000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long counted;

static void *work(void *argument) {
    unsigned long own = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counted++;
        pthread_mutex_unlock(&mutex);
        for (int j = 0; j < 20; j++)
            own = own * 31 + j;
    }
    return (void *)own;
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, work, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
    return counted != 2 * ROUNDS;
}
