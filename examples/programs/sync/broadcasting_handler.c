// Shows: a handler that broadcasts the condition which its thread is waiting for, and waits for another one itself.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 30 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER, never = PTHREAD_COND_INITIALIZER;
static volatile sig_atomic_t handled;
static int rounds, waiter, seen;

static void handle(int signal) {
    struct timespec until;
    (void)signal;
    clock_gettime(CLOCK_REALTIME, &until);
    pthread_mutex_lock(&inner);
    pthread_cond_timedwait(&never, &inner, &until);
    pthread_mutex_unlock(&inner);
    handled++;
    pthread_cond_broadcast(&changed);
}

/* Natively, too, the handler may only run while the thread sleeps. */
static void wait_until_asleep(void) {
    char path[64], text[512], state = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", waiter);
    do {
        FILE *file = fopen(path, "r");
        if (!file || !fgets(text, sizeof text, file) || sscanf(text, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        if (file)
            fclose(file);
    } while (state != 'S');
}

static void *send(void *thread) {
    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&mutex);
        while (rounds != round + 1)
            pthread_cond_wait(&changed, &mutex);
        pthread_mutex_unlock(&mutex);
        wait_until_asleep();
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
    }
    return 0;
}

int main(void) {
    pthread_t self = pthread_self(), sender;
    waiter = (int)syscall(SYS_gettid);
    signal(SIGUSR1, handle);
    pthread_create(&sender, 0, send, &self);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&mutex);
        rounds = round + 1;
        pthread_cond_broadcast(&changed);
        while (handled == round) {
            pthread_cond_wait(&changed, &mutex);
            seen++;
        }
        pthread_mutex_unlock(&mutex);
    }
    pthread_join(sender, 0);
    printf("%d handled, %s\n", (int)handled, seen >= ROUNDS ? "woken each time" : "not woken");
    return 0;
}
