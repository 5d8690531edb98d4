// Work for malloc: the sort of work and the number of threads are arguments. Prints the nanoseconds of an operation,
// which is a malloc and a free, and the most memory that was resident, in KiB.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SLOTS = 20000, LARGE_SLOTS = 64, THREADS = 16 };

static int threads = 1;
static pthread_barrier_t barrier;
// What each thread has, for whoever frees it.
static void *slots[THREADS][SLOTS];

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void *filled(size_t size) {
    char *block = malloc(size);
    if (block == NULL) abort();
    // A byte of each page and the last one.
    for (size_t at = 0; at < size; at += 4096) block[at] = 1;
    block[size - 1] = 1;
    return block;
}

// One block at a time, of 16 to 1024 bytes.
static long pairs(int me) {
    enum { ROUNDS = 20000000, SIZES = 1024 };
    static __thread size_t sizes[SIZES];
    uint64_t state = me + 1;
    for (int i = 0; i < SIZES; i++) sizes[i] = 16 + next(&state) % 1009;
    for (int i = 0; i < ROUNDS; i++) {
        void *volatile block = malloc(sizes[i % SIZES]);
        free(block);
    }
    return ROUNDS;
}

// A hundred blocks, then all of them freed.
static long stacks(int me) {
    enum { ROUNDS = 100000, DEPTH = 100 };
    uint64_t state = me + 1;
    for (int i = 0; i < ROUNDS; i++) {
        void *blocks[DEPTH];
        for (int j = 0; j < DEPTH; j++) blocks[j] = malloc(16 + next(&state) % 1009);
        for (int j = 0; j < DEPTH; j++) free(blocks[j]);
    }
    return (long)ROUNDS * DEPTH;
}

// Blocks replaced at random, in each phase those of another thread (as Larson and Krishnan's benchmark of servers).
static long churn(int me, size_t least, size_t most, int count, int rounds) {
    enum { PHASES = 20 };
    uint64_t state = me + 1;
    for (int phase = 0; phase < PHASES; phase++) {
        void **mine = slots[(me + phase) % threads];
        for (int i = 0; i < rounds; i++) {
            int slot = next(&state) % count;
            free(mine[slot]);
            mine[slot] = filled(least + next(&state) % (most - least));
        }
        pthread_barrier_wait(&barrier);
    }
    return (long)PHASES * rounds;
}

static long small_churn(int me) { return churn(me, 16, 1024, SLOTS, 200000); }
static long wide_churn(int me) { return churn(me, 16, 16384, SLOTS / 4, 50000); }
static long large_churn(int me) { return churn(me, 20000, 400000, LARGE_SLOTS, 1000); }

// Strings that grow by a seventh.
static long growth(int me) {
    enum { ROUNDS = 10000 };
    long operations = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char *text = NULL;
        for (size_t size = 16; size < 200000; size += size / 7 + me % 2) {
            text = realloc(text, size);
            text[size - 1] = 1;
            operations++;
        }
        free(text);
    }
    return operations;
}

// Everything that is allocated by one thread is freed by the next one.
static long handed_over(int me) {
    enum { PHASES = 100 };
    uint64_t state = me + 1;
    for (int phase = 0; phase < PHASES; phase++) {
        for (int i = 0; i < SLOTS; i++) slots[me][i] = malloc(16 + next(&state) % 500);
        pthread_barrier_wait(&barrier);
        void **others = slots[(me + 1) % threads];
        for (int i = 0; i < SLOTS; i++) free(others[i]);
        memset(others, 0, sizeof slots[0]);
        pthread_barrier_wait(&barrier);
    }
    return (long)PHASES * SLOTS;
}

// The sizes in use change, and a tenth of the blocks stays from each phase: memory for one size is needed for another.
static long shifting(int me) {
    enum { PHASES = 40, BYTES = 8 << 20 };
    uint64_t state = me + 1;
    void **mine = slots[me];
    long operations = 0;
    for (int phase = 0; phase < PHASES; phase++) {
        size_t least = (size_t)16 << phase * 5 % 9;
        for (size_t filling = 0; filling < BYTES; operations++) {
            int slot = next(&state) % SLOTS;
            size_t size = least + next(&state) % least;
            free(mine[slot]);
            mine[slot] = filled(size);
            filling += size;
        }
        for (int slot = 0; slot < SLOTS; slot++) {
            if (next(&state) % 10 == 0) continue;
            free(mine[slot]);
            mine[slot] = NULL;
        }
    }
    return operations;
}

static const struct {
    const char *name;
    long (*work)(int);
} sorts[] = {
    {"pairs", pairs},           {"stacks", stacks},           {"small-churn", small_churn},
    {"wide-churn", wide_churn}, {"large-churn", large_churn}, {"growth", growth},
    {"handed-over", handed_over}, {"shifting", shifting},
};
static long (*work)(int);

static void *run(void *me) { return (void *)work((int)(intptr_t)me); }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++)
        if (strcmp(sorts[i].name, arguments[1]) == 0) work = sorts[i].work;
    threads = atoi(arguments[2]);
    if (work == NULL || threads < 1 || threads > THREADS) return 2;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    pthread_t others[THREADS];
    double begin = now();
    for (int i = 1; i < threads; i++) pthread_create(&others[i], NULL, run, (void *)(intptr_t)i);
    long operations = (long)run(NULL);
    for (int i = 1; i < threads; i++) pthread_join(others[i], NULL);
    double end = now();
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.3f %ld\n", (end - begin) / (double)operations, usage.ru_maxrss);
    return 0;
}
