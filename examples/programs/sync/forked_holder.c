// Shows: forks by a thread that has a lock which others wait for; the child gives it up and has a thread of its own.
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 5 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int is_over;

static void *contend(void *argument) {
    for (int seen = 0; !seen;) {
        pthread_mutex_lock(&mutex);
        seen = is_over;
        pthread_mutex_unlock(&mutex);
    }
    return argument;
}

static void *lock_once(void *argument) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return argument;
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, contend, NULL);
    for (int i = 0; i < FORKS; i++) {
        pthread_mutex_lock(&mutex);
        pid_t child = fork();
        pthread_mutex_unlock(&mutex);
        if (child == 0) {
            pthread_t thread;
            pthread_create(&thread, NULL, lock_once, NULL);
            pthread_join(thread, NULL);
            _exit(5 + i);
        }
        int status;
        waitpid(child, &status, 0);
        printf("%x\n", (unsigned)status);
    }
    pthread_mutex_lock(&mutex);
    is_over = 1;
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}
