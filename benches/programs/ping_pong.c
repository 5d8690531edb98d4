// Two threads that wake each other, by condition variables.
#include <pthread.h>

enum { ROUNDS = 100000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static int turn;

static void *work(void *argument) {
    int me = argument != 0;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != me)
            pthread_cond_wait(&turned[me], &mutex);
        turn = !me;
        pthread_cond_signal(&turned[!me]);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

int main(void) {
    pthread_t threads[2];
    pthread_create(&threads[0], 0, work, 0);
    pthread_create(&threads[1], 0, work, &turn);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
}
