// Shows: threads that are cancelled in a read, between two, and while computing, and one that a signal wakes from it.
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];
static volatile long turns;

static void cleanup(void *name) { printf("%s cleans up\n", (char *)name); }
static void handle(int signal) {}

static void *read_for_ever(void *unused) {
    char byte;
    pthread_cleanup_push(cleanup, "reader");
    while (read(ends[0], &byte, 1) == 1)
        printf("read %c\n", byte);
    printf("reader: %s\n", errno == EINTR ? "interrupted" : "failed");
    pthread_cleanup_pop(0);
    return "returned";
}

static void *compute(void *unused) {
    pthread_cleanup_push(cleanup, "computer");
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;)
        turns++;
    pthread_cleanup_pop(0);
}

static void end(pthread_t thread) {
    void *result;
    pthread_join(thread, &result);
    printf("%s\n", result == PTHREAD_CANCELED ? "cancelled" : (char *)result);
}

int main(void) {
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle}, NULL);
    if (pipe(ends))
        err(1, "pipe");
    pthread_t thread;
    pthread_create(&thread, NULL, read_for_ever, NULL);
    write(ends[1], "abc", 3);
    usleep(2000);
    pthread_cancel(thread);
    end(thread);
    pthread_create(&thread, NULL, read_for_ever, NULL);
    // The signal may come before the read: it is sent until one has come in time.
    void *result;
    do {
        usleep(2000);
        pthread_kill(thread, SIGUSR1);
    } while (pthread_tryjoin_np(thread, &result));
    printf("%s\n", (char *)result);
    pthread_create(&thread, NULL, compute, NULL);
    while (!turns)
        usleep(1000);
    pthread_cancel(thread);
    end(thread);
    printf("%ld turns\n", turns);
    return 0;
}
