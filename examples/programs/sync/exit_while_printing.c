// Shows: main returns while other threads still write to streams.
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 3 };

static void *run(void *argument) {
    for (int line = 0;; line++) {
        printf("thread %ld line %d\n", (long)argument, line);
    }
    return NULL;
}

int main(void) {
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (long me = 0; me < THREADS; me++) {
        pthread_t thread;
        pthread_create(&thread, NULL, run, (void *)me);
        pthread_detach(thread);
    }
    for (int line = 0; line < 2000; line++) {
        printf("main line %d\n", line);
    }
    return 0;
}
