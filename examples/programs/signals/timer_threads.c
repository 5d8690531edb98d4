// Shows: timers that start a thread each time (SIGEV_THREAD), and one that signals one thread (SIGEV_THREAD_ID).
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static sem_t done;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int calls;
static volatile sig_atomic_t signals;

static void called(union sigval value) {
    pthread_mutex_lock(&lock);
    if (calls < 10)
        printf("call %d of timer %d, signal %d\n", ++calls, value.sival_int, signals);
    pthread_mutex_unlock(&lock);
    sem_post(&done);
}

static void handle(int signal) { signals++; }

int main(void) {
    timer_t timers[3];
    sem_init(&done, 0, 0);
    signal(SIGUSR1, handle);
    for (int i = 0; i < 3; i++) {
        struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_value = {i}, .sigev_notify_function = called};
        if (i == 2)
            event.sigev_notify = SIGEV_THREAD_ID, event.sigev_signo = SIGUSR1, event._sigev_un._tid = gettid();
        timer_create(CLOCK_MONOTONIC, &event, &timers[i]);
        timer_settime(timers[i], 0, &(struct itimerspec){{0, 3000000 + i}, {0, 2000000}}, NULL);
    }
    for (int waited = 0; waited < 10; waited++)
        while (sem_wait(&done))
            ;
    for (int i = 0; i < 3; i++)
        timer_delete(timers[i]);
    printf("signals %d\n", signals);
    return 0;
}
