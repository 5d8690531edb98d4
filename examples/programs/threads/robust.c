// Shows: robust mutexes whose owners end while they hold them: the next one is told, and makes them consistent or not.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock;

static void *die_with_lock(void *unused) {
    pthread_mutex_lock(&lock);
    return NULL;
}

static void *find(void *me) {
    int result = pthread_mutex_lock(&lock);
    printf("thread %ld: %s\n", (long)me,
           result == EOWNERDEAD ? "the owner is dead" : result == ENOTRECOVERABLE ? "lost" : "locked");
    if (result == EOWNERDEAD)
        pthread_mutex_consistent(&lock);
    if (result != ENOTRECOVERABLE)
        pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&lock, &attributes);
    for (int round = 0; round < 5; round++) {
        pthread_t dying, threads[3];
        pthread_create(&dying, NULL, die_with_lock, NULL);
        for (long i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, find, (void *)i);
        pthread_join(dying, NULL);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
    }
    pthread_t dying;
    pthread_create(&dying, NULL, die_with_lock, NULL);
    pthread_join(dying, NULL);
    printf("%d\n", pthread_mutex_lock(&lock) == EOWNERDEAD);
    pthread_mutex_unlock(&lock);
    find((void *)9);
    return 0;
}
