// Shows: two threads that take two locks in different orders, without contention nearly always: no system call, no
// loop, nothing that takes time. Where each has one and wants the other, programs deadlock; this one counts it.
#include <pthread.h>
#include <stdio.h>

enum { ROUNDS = 20 };

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static int met[2];

static void take(pthread_mutex_t *one, pthread_mutex_t *other, int *count) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(one);
        if (pthread_mutex_trylock(other) == 0)
            pthread_mutex_unlock(other);
        else
            ++*count;
        pthread_mutex_unlock(one);
    }
}

static void *backwards(void *unused) {
    take(&second, &first, &met[1]);
    return unused;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, backwards, NULL);
    take(&first, &second, &met[0]);
    pthread_join(thread, NULL);
    printf("met %d times\n", met[0] + met[1]);
    return 0;
}
