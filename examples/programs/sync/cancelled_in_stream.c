// Shows: threads that are cancelled, or end, within functions that have a stream's lock; others can use it then.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS = 30 };

static FILE *pipes;
static int ends[2];
static unsigned long order, lines;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void clean(void *argument) {
    pthread_mutex_lock(&lock);
    order = order * 31 + (long)argument + 1;
    pthread_mutex_unlock(&lock);
}

static void *run(void *argument) {
    char line[32];
    pthread_cleanup_push(clean, argument);
    while (fgets(line, sizeof line, pipes)) {
        pthread_mutex_lock(&lock);
        lines = lines * 37 + strtol(line, NULL, 10) + (long)argument;
        pthread_mutex_unlock(&lock);
    }
    pthread_cleanup_pop(1);
    return NULL;
}

int main(void) {
    pipe(ends);
    pipes = fdopen(ends[0], "r");
    setvbuf(pipes, NULL, _IONBF, 0);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (long me = 0; me < THREADS; me++) {
            pthread_create(&threads[me], NULL, run, (void *)me);
        }
        for (int number = 0; number < 5; number++) {
            dprintf(ends[1], "%d\n", round * 10 + number);
        }
        // One of them has the lock and reads; when it is unwound the next one has it.
        for (int me = 0; me < THREADS; me++) {
            pthread_cancel(threads[me]);
        }
        for (int me = 0; me < THREADS; me++) {
            void *result;
            pthread_join(threads[me], &result);
            printf("%d", result == PTHREAD_CANCELED);
        }
        putchar('\n');
    }
    printf("%lx %lx\n", order, lines);
    return 0;
}
