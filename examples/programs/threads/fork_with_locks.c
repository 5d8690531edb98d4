// Shows: forks while other threads hold locks and allocate: pthread_atfork handlers take the lock and give it back, and
// malloc must work in the child.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 10, THREADS = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int is_done;
static long changes;

static void prepare(void) { pthread_mutex_lock(&lock); }
static void release(void) { pthread_mutex_unlock(&lock); }

static void *change(void *unused) {
    while (!is_done) {
        char *memory = malloc(100 + changes % 5000);
        pthread_mutex_lock(&lock);
        memory[0] = changes++;
        pthread_mutex_unlock(&lock);
        free(memory);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_atfork(prepare, release, release);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, change, NULL);
    for (int i = 0; i < FORKS; i++) {
        usleep(1000);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            pthread_mutex_lock(&lock);
            printf("child %d sees %ld changes and has %p\n", i, changes, malloc(3000));
            fflush(stdout);
            _exit(changes % 100);
        }
        int status;
        waitpid(child, &status, 0);
        printf("child %d: %d\n", i, WEXITSTATUS(status));
    }
    is_done = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%ld changes\n", changes);
    return 0;
}
