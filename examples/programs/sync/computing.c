// Shows: threads that compute until a signal comes, by themselves and between locks, and one that is cancelled meanwhile.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;
static __thread volatile sig_atomic_t is_told;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void finish(int signal) { is_over = signal; }
static void tell(int signal) { is_told = signal; }
static void clean_up(void *name) { printf("%s cleans up\n", (char *)name); }

static void *lock_and_unlock(void *unused) {
    (void)unused;
    unsigned long count = 0;
    while (!is_told) {
        pthread_mutex_lock(&mutex);
        count++;
        pthread_mutex_unlock(&mutex);
    }
    return count != 0 ? "told" : "told at once";
}

static void *compute(void *unused) {
    (void)unused;
    pthread_cleanup_push(clean_up, "the computing thread");
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;) {}
    pthread_cleanup_pop(0);
}

static void *idle(void *unused) {
    pause();
    return unused;
}

int main(void) {
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = finish}, NULL);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = tell}, NULL);
    pthread_t thread, sleeper;
    void *result;
    pthread_create(&sleeper, NULL, idle, NULL);

    unsigned long turns = 0;
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 30000}, NULL);
    while (!is_over) turns++;
    printf("signal %d has ended a loop%s\n", is_over, turns ? "" : " of no turn");

    pthread_create(&thread, NULL, lock_and_unlock, NULL);
    usleep(20000);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, &result);
    printf("%s\n", (char *)result);

    pthread_create(&thread, NULL, compute, NULL);
    usleep(20000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("%s\n", result == PTHREAD_CANCELED ? "cancelled" : "ended");

    pthread_kill(sleeper, SIGUSR1);
    pthread_join(sleeper, NULL);
    return 0;
}
