// Shows: threads that wait for a flag by spinning: with `pause` (-DPAUSE), with nothing at all, or counting
// (-DCOUNTING), so that the number of turns tells when the flag was set.
#include <pthread.h>
#include <stdio.h>

enum { ROUNDS = 6 };

static volatile int flag;
static long turns, hash;

static void wait_for(int value) {
    while (flag != value) {
#ifdef PAUSE
        __builtin_ia32_pause();
#endif
#ifdef COUNTING
        turns++;
#endif
    }
}

static void *answer(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        while (flag != 2 * i + 1) {
#ifdef PAUSE
            __builtin_ia32_pause();
#endif
        }
        flag = 2 * i + 2;
    }
    return NULL;
}

int main(void) {
    pthread_t other;
    pthread_create(&other, NULL, answer, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        flag = 2 * i + 1;
        wait_for(2 * i + 2);
        hash = hash * 31 + turns;
    }
    pthread_join(other, NULL);
    printf("%d, %ld turns, %lx\n", flag, turns, hash);
    return 0;
}
