// Shows: threads that each jump back again and again, from the depth and out of handlers of signals sent to them.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

enum { THREADS = 3, JUMPS = 200 };

static __thread sigjmp_buf back;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned order;

static void handle(int signal) { siglongjmp(back, 2); }

static void descend(int depth) {
    if (depth == 0)
        siglongjmp(back, 1);
    descend(depth - 1);
}

static void *jump(void *argument) {
    long me = (long)argument;
    volatile int plain = 0, signalled = 0;
    int from = sigsetjmp(back, 1);
    plain += from == 1, signalled += from == 2;
    if (plain + signalled < JUMPS) {
        pthread_mutex_lock(&lock);
        order = order * 31 + me;
        pthread_mutex_unlock(&lock);
        if ((plain + signalled) % 3)
            descend(plain % 20);
        pthread_kill(pthread_self(), SIGUSR1);
    }
    return (void *)(long)(plain * 1000 + signalled);
}

int main(void) {
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle}, NULL);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, jump, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *jumps;
        pthread_join(threads[i], &jumps);
        printf("thread %d: %ld\n", i, (long)jumps);
    }
    printf("order %x\n", order);
    return 0;
}
