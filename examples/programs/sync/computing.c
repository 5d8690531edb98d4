// Shows: threads that compute until a signal comes, by themselves and between locks, and one that is cancelled meanwhile. With an argument
// the process is killed while all but one compute.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;
static __thread volatile sig_atomic_t is_told;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Its call may sleep. */
static void finish(int signal) {
    sched_yield();
    is_over = signal;
}

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

static void *kill_process(void *unused) {
    usleep(50000);
    kill(getpid(), SIGTERM);
    pause();
    return unused;
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        pthread_t killer;
        pthread_create(&killer, NULL, kill_process, NULL);
        for (;;) {}
    }
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
