// Shows: a process with threads that forks in the midst of their accesses to memory; the child has threads that race too.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 2, ROUNDS = 20000, CHILDREN = 3 };

static atomic_ulong hash;
static atomic_int is_done;

static void *mix(void *self) {
    for (long i = 0; i < ROUNDS; i++)
        atomic_store(&hash, atomic_load(&hash) * 31 + (long)self);
    return NULL;
}

static void *mix_until_done(void *self) {
    while (!is_done)
        mix(self);
    return NULL;
}

static void race(const char *who) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, mix, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%s: %lx\n", who, hash);
    fflush(stdout);
}

int main(void) {
    pthread_t other;
    pthread_create(&other, NULL, mix_until_done, (void *)7);
    for (int i = 0; i < CHILDREN; i++) {
        mix((void *)5);
        pid_t child = fork();
        if (child == 0) {
            // What the other thread had stored when it was copied is the kernel's secret.
            hash = i;
            race("child");
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    is_done = 1;
    pthread_join(other, NULL);
    race("parent");
    return 0;
}
