// Shows: the first thread has ended (/proc/self shows nothing of the process any more), the others go on: one computes
// without calls, and one makes calls.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile long counted;
static volatile int is_done;

static void *compute(void *unused) {
    for (long i = 0; i < 200000000; i++)
        counted++;
    is_done = 1;
    return NULL;
}

static void *call(void *unused) {
    long calls = 0, hash = 0;
    while (!is_done) {
        usleep(1000);
        calls++;
        hash = hash * 31 + counted;
    }
    printf("%ld calls, %lx\n", calls, hash);
    exit(0);
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, compute, NULL);
    pthread_create(&thread, NULL, call, NULL);
    pthread_exit(NULL);
}
