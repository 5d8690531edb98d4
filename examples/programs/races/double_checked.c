// Shows: double-checked locking: which thread makes each object, and who finds it made already.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 3, OBJECTS = 50000 };

typedef struct {
    int maker, number;
} Object;

static _Atomic(Object *) objects[OBJECTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int late;

static Object *get(int number, int me) {
    Object *object = atomic_load_explicit(&objects[number], memory_order_acquire);
    if (object)
        return object;
    pthread_mutex_lock(&lock);
    object = atomic_load_explicit(&objects[number], memory_order_relaxed);
    if (object) {
        late++;
    } else {
        object = malloc(sizeof *object);
        *object = (Object){me, number};
        atomic_store_explicit(&objects[number], object, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return object;
}

static void *use(void *me) {
    long foreign = 0;
    for (int i = 0; i < OBJECTS; i++)
        foreign += get(i, (long)me)->maker != (long)me;
    return (void *)foreign;
}

int main(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *foreign;
        pthread_join(threads[i], &foreign);
        printf("thread %d found %ld made by others\n", i, (long)foreign);
    }
    unsigned hash = 0;
    for (int i = 0; i < OBJECTS; i++)
        hash = hash * 31 + objects[i]->maker + 1;
    printf("makers %x, %d made while waiting for the lock, last at %p\n", hash, late, objects[OBJECTS - 1]);
    return 0;
}
