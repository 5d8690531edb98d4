// Shows: what each thread of an OpenMP team gets: pieces of loops, sections, a single, and the order of critical sections and locks.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 40, PIECES = 64 };

static unsigned long order = 5381;

/* Called with a lock held. */
static void note(const char *what, int piece) {
    order = order * 33 ^ (unsigned long)(what[0] * 10000 + piece * 10 + omp_get_thread_num());
}

/* Some work, more for some pieces, and a block of memory: whose it is depends on who does it. */
static void *work(int piece) {
    volatile unsigned sum = 0;
    for (int step = 0; step < 200 * (piece % 7 + 1); step++)
        sum += step;
    return malloc(32 + piece);
}

static void loops(void) {
    void *blocks[PIECES];
    int got[THREADS] = {0};
#pragma omp for schedule(dynamic)
    for (int piece = 0; piece < PIECES; piece++) {
        void *block = work(piece);
#pragma omp critical(dynamic)
        note("dynamic", piece + (int)((unsigned long)block >> 4 & 255));
        free(block);
    }
#pragma omp for schedule(guided, 2) nowait
    for (int piece = 0; piece < PIECES; piece++) {
        free(work(piece));
        got[omp_get_thread_num()]++;
    }
#pragma omp for schedule(runtime)
    for (unsigned long long piece = 0; piece < PIECES; piece++) {
        blocks[piece] = work((int)piece);
        free(blocks[piece]);
        got[omp_get_thread_num()]++;
    }
#pragma omp for schedule(dynamic, 3) ordered
    for (int piece = 0; piece < PIECES; piece++) {
        void *block = work(piece);
#pragma omp ordered
        note("ordered", piece);
        free(block);
    }
#pragma omp critical
    note("got", got[omp_get_thread_num()]);
}

static void pieces(omp_lock_t *lock, omp_nest_lock_t *nested) {
#pragma omp sections
    {
#pragma omp section
        {
            free(work(1));
#pragma omp critical
            note("one", 1);
        }
#pragma omp section
        {
            free(work(6));
#pragma omp critical
            note("two", 2);
        }
#pragma omp section
        {
            free(work(3));
#pragma omp critical
            note("three", 3);
        }
    }
#pragma omp single
    note("single", 0);
    omp_set_lock(lock);
    note("lock", 0);
    omp_unset_lock(lock);
#pragma omp barrier
    int tries = 0;
    while (!omp_test_lock(lock))
        tries++;
    note("tried", tries);
    omp_unset_lock(lock);
#pragma omp barrier
    omp_set_nest_lock(nested);
    omp_set_nest_lock(nested);
    note("nested", 0);
    omp_unset_nest_lock(nested);
    omp_unset_nest_lock(nested);
#pragma omp barrier
}

int main(void) {
    omp_lock_t lock;
    omp_nest_lock_t nested;
    long double sum = 0;
    omp_init_lock(&lock);
    omp_init_nest_lock(&nested);
    omp_set_schedule(omp_sched_dynamic, 2);
    for (int round = 0; round < ROUNDS; round++) {
#pragma omp parallel num_threads(round % THREADS + 1) reduction(+ : sum)
        {
            loops();
            pieces(&lock, &nested);
#pragma omp for schedule(dynamic)
            for (int piece = 1; piece < PIECES; piece++)
                sum += 1.0L / piece / (piece + round);
        }
    }
    printf("%lx %.25Lg\n", order, sum);
    return 0;
}
