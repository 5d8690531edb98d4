// Shows: a sequence lock: readers try again when a writer has been at work, and how often they do is chance.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { WRITES = 300000, READERS = 2 };

static atomic_uint sequence;
static atomic_long data[4];
static atomic_int is_done;

static void *write_all(void *unused) {
    for (long i = 1; i <= WRITES; i++) {
        atomic_fetch_add(&sequence, 1);
        for (int j = 0; j < 4; j++)
            atomic_store_explicit(&data[j], i * (j + 1), memory_order_relaxed);
        atomic_fetch_add(&sequence, 1);
    }
    atomic_store(&is_done, 1);
    return NULL;
}

static void *read_all(void *result) {
    unsigned long retries = 0, hash = 0, torn = 0;
    while (!is_done) {
        unsigned before = atomic_load(&sequence);
        long copy[4];
        for (int j = 0; j < 4; j++)
            copy[j] = atomic_load(&data[j]);
        if (before % 2 || atomic_load(&sequence) != before) {
            retries++;
            continue;
        }
        hash = hash * 31 + copy[0];
        torn += copy[3] != 4 * copy[0];
    }
    unsigned long *results = result;
    results[0] = retries, results[1] = hash, results[2] = torn;
    return NULL;
}

int main(void) {
    pthread_t writer, readers[READERS];
    unsigned long results[READERS][3];
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_all, results[i]);
    pthread_create(&writer, NULL, write_all, NULL);
    pthread_join(writer, NULL);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
        printf("reader %d: %lu retries, hash %lx, %lu torn\n", i, results[i][0], results[i][1], results[i][2]);
    }
    return 0;
}
