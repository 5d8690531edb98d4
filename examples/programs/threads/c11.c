// Shows: the threads of C11: mutexes, conditions, once, thread-specific storage, and who took what from a queue.
#include <stdatomic.h>
#include <stdio.h>
#include <threads.h>

enum { CONSUMERS = 3, ITEMS = 300 };

static mtx_t lock;
static cnd_t changed;
static once_flag once = ONCE_FLAG_INIT;
static tss_t own;
static int waiting, produced, initialised;
static unsigned order;

static void initialise(void) { initialised++; }
static void destroy(void *value) {
    mtx_lock(&lock);
    waiting += *(int *)value;
    mtx_unlock(&lock);
}

static int consume(void *me) {
    static thread_local int taken;
    call_once(&once, initialise);
    tss_set(own, &taken);
    for (;;) {
        mtx_lock(&lock);
        while (!waiting && produced < ITEMS)
            cnd_wait(&changed, &lock);
        if (!waiting) {
            mtx_unlock(&lock);
            return taken;
        }
        waiting--, taken++;
        order = order * 31 + (long)me + 1;
        mtx_unlock(&lock);
        thrd_yield();
    }
}

int main(void) {
    thrd_t threads[CONSUMERS];
    mtx_init(&lock, mtx_timed), cnd_init(&changed), tss_create(&own, destroy);
    for (long i = 0; i < CONSUMERS; i++)
        thrd_create(&threads[i], consume, (void *)i);
    while (produced < ITEMS) {
        mtx_lock(&lock);
        produced++, waiting++;
        produced < ITEMS ? cnd_signal(&changed) : cnd_broadcast(&changed);
        mtx_unlock(&lock);
    }
    for (int i = 0; i < CONSUMERS; i++) {
        int taken;
        thrd_join(threads[i], &taken);
        printf("consumer %d took %d\n", i, taken);
    }
    printf("order %x, initialised %d times, destructors saw %d\n", order, initialised, waiting);
    return 0;
}
