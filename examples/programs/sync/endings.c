// Shows: threads that begin and end while others do: their stacks, ids and thread-local variables, whose joining or detaching
// decides which stack the next one gets; destructors of keys; and the process's end while some still run.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAKERS = 3, ROUNDS = 60 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static unsigned long destroyed, joined[MAKERS];
static __thread long local;

static void destroy(void *value) {
    pthread_mutex_lock(&lock);
    destroyed = destroyed * 31 + (unsigned long)value;
    pthread_mutex_unlock(&lock);
}

static void *live_shortly(void *argument) {
    char on_stack[256];
    pthread_setspecific(key, argument);
    snprintf(on_stack, sizeof on_stack, "%p", argument);
    local = (long)argument;
    return (void *)((unsigned long)&local ^ (unsigned long)on_stack ^ (unsigned long)pthread_self());
}

static void *make(void *argument) {
    long me = (long)argument;
    pthread_attr_t detached, small;
    pthread_attr_init(&detached), pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_init(&small), pthread_attr_setstacksize(&small, 256 << 10);
    for (long round = 1; round <= ROUNDS; round++) {
        pthread_t one, two, three;
        void *result;
        pthread_create(&one, NULL, live_shortly, (void *)(me * 1000 + round));
        pthread_create(&two, &small, live_shortly, (void *)(me * 2000 + round));
        pthread_create(&three, &detached, live_shortly, (void *)(me * 3000 + round));
        int error = pthread_tryjoin_np(one, &result);
        if (error == EBUSY)
            joined[me] += 7, pthread_join(one, &result);
        joined[me] = joined[me] * 31 + (unsigned long)result;
        if (round % 2 == 0)
            pthread_join(two, &result), joined[me] += (unsigned long)result;
        else
            pthread_detach(two);
        joined[me] ^= (unsigned long)three;
    }
    return NULL;
}

static void *stay(void *argument) {
    for (;;)
        pause();
    return argument;
}

int main(void) {
    pthread_t makers[MAKERS], staying;
    pthread_key_create(&key, destroy);
    pthread_create(&staying, NULL, stay, NULL);
    for (long i = 0; i < MAKERS; i++)
        pthread_create(&makers[i], NULL, make, (void *)i);
    for (int i = 0; i < MAKERS; i++)
        pthread_join(makers[i], NULL);
    pthread_mutex_lock(&lock);
    printf("destroyed %lx\n", destroyed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < MAKERS; i++)
        printf("%lx\n", joined[i]);
    exit(0);
}
