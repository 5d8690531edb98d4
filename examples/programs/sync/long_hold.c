// Shows: a thread that has written a volatile variable and then computes until another one, which has read it, answers in a
// way that no compiler knows of. Who waits for the variable must not wait until the thread comes to its next access.
#include <pthread.h>
#include <stdio.h>

enum { ROUNDS = 20 };

static volatile int asked;
static int answered;

static int look(const int *place) {
    int value;
    __asm__ volatile("movl %1, %0" : "=r"(value) : "m"(*place) : "memory");
    return value;
}

static void set(int *place, int value) {
    __asm__ volatile("movl %1, %0" : "=m"(*place) : "r"(value) : "memory");
}

static void *answer(void *unused) {
    for (int i = 1; i <= ROUNDS; i++) {
        while (asked != i)
            ;
        set(&answered, i);
    }
    return unused;
}

int main(void) {
    pthread_t other;
    pthread_create(&other, NULL, answer, NULL);
    for (int i = 1; i <= ROUNDS; i++) {
        asked = i;
        while (look(&answered) != i)
            ;
    }
    pthread_join(other, NULL);
    printf("asked %d times, answered %d times\n", asked, answered);
    return 0;
}
