// Shows: addresses of malloc in threads that run in parallel and free each other's blocks, and what is in memory that was
// freed: the same in replay.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 20000, SLOTS = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *exchange[SLOTS];

// A generator of each thread's own.
static unsigned next(unsigned *state) { return *state = *state * 1664525 + 1013904223; }

static void *work(void *argument) {
    unsigned state = (unsigned)(uintptr_t)argument;
    uint64_t hash = 0;
    char *own[SLOTS] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        unsigned slot = next(&state) >> 16 & (SLOTS - 1);
        size_t size = next(&state) >> 16 & 1023;
        if (round % 500 == 0)
            size = 200000 + size * 1000;
        switch (next(&state) >> 28) {
        case 0: own[slot] = realloc(own[slot], size + 1); break;
        case 1: free(own[slot]), own[slot] = calloc(1, size + 1); break;
        case 2: {
            void *aligned = NULL;
            free(own[slot]);
            own[slot] = posix_memalign(&aligned, 256, size + 1) ? NULL : aligned;
            break;
        }
        case 3: case 4: case 5: {
            pthread_mutex_lock(&lock);
            char *other = exchange[slot];
            exchange[slot] = own[slot], own[slot] = other;
            pthread_mutex_unlock(&lock);
            break;
        }
        default: free(own[slot]), own[slot] = malloc(size + 1);
        }
        hash = hash * 1000003 + (uintptr_t)own[slot];
        // Not written yet: what a block was used for before shows.
        if (own[slot])
            hash += (unsigned char)own[slot][size / 2 % 16], own[slot][0] = (char)round;
    }
    for (int slot = 0; slot < SLOTS; slot++)
        free(own[slot]);
    return (void *)(uintptr_t)hash;
}

int main(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        void *hash;
        pthread_join(threads[i], &hash);
        printf("%p\n", hash);
    }
    char *freed = malloc(100);
    strcpy(freed, "what is left of this after free");
    free(freed);
    for (int i = 0; i < 24; i++)
        printf("%02x", (unsigned char)((volatile char *)freed)[i]);
    printf("\n");
}
