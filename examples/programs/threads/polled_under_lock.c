// Shows: a thread that looks again and again under a lock for what another one does under that lock.
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int stage;

static void *polls(void *unused)
{
    pthread_mutex_lock(&mutex);
    while (stage == 0) {
        pthread_mutex_unlock(&mutex);
        pthread_mutex_lock(&mutex);
    }
    stage = 2;
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, polls, NULL);
    pthread_mutex_lock(&mutex);
    stage = 1;
    pthread_mutex_unlock(&mutex);
    for (int stopped = 0; !stopped;) {
        pthread_mutex_lock(&mutex);
        stopped = stage == 2;
        pthread_mutex_unlock(&mutex);
    }
    pthread_join(thread, NULL);
    puts("polled");
    return 0;
}
