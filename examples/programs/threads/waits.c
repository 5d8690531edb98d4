// Shows: several threads that wait for any child: which one gets which.
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 9, THREADS = 3 };

static void *collect(void *me) {
    int status;
    for (int i = 0; i < CHILDREN / THREADS; i++) {
        pid_t child = wait(&status);
        printf("thread %ld: process %d left with %d\n", (long)me, child, WEXITSTATUS(status));
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0) {
            usleep(i % 3 * 1000);
            _exit(i);
        }
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, collect, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
