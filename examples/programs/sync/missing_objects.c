// Shows: libc's functions for objects that are not there, or that cannot be written: they fail in a recording and its replay as
// they do alone, at the same addresses. With an argument, the first failure ends the program.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>

#pragma GCC diagnostic ignored "-Wnonnull"

static sigjmp_buf before;
static void *volatile address;
static const pthread_mutex_t constant = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static struct timespec soon;
static void *volatile nothing;
static void *const far = (void *)0x123456789000;

static void failed(int signal, siginfo_t *information, void *context) {
    (void)context;
    address = information->si_addr;
    siglongjmp(before, signal);
}

static void *idle(void *argument) { return argument; }
static void initialise(void) {}

#define CALLS                                      \
    CALL(pthread_mutex_lock(nothing))              \
    CALL(pthread_mutex_lock(far))                  \
    CALL(pthread_mutex_lock((void *)&constant))    \
    CALL(pthread_mutex_trylock(nothing))           \
    CALL(pthread_mutex_trylock((void *)&constant)) \
    CALL(pthread_mutex_timedlock(nothing, &soon))  \
    CALL(pthread_mutex_unlock(nothing))            \
    CALL(pthread_cond_signal(nothing))             \
    CALL(pthread_cond_broadcast(nothing))          \
    CALL(pthread_cond_wait(nothing, &mutex))       \
    CALL(pthread_cond_wait(&condition, nothing))   \
    CALL(pthread_rwlock_rdlock(nothing))           \
    CALL(pthread_rwlock_tryrdlock(nothing))        \
    CALL(pthread_rwlock_wrlock(nothing))           \
    CALL(pthread_rwlock_unlock(nothing))           \
    CALL(pthread_spin_lock(nothing))               \
    CALL(pthread_barrier_wait(nothing))            \
    CALL(pthread_once(nothing, initialise))        \
    CALL(sem_wait(nothing))                        \
    CALL(sem_trywait(nothing))                     \
    CALL(sem_post(nothing))                        \
    CALL(mtx_lock(nothing))                        \
    CALL(flockfile(nothing))                       \
    CALL(flockfile(far))                           \
    CALL(fputs("x", far))                          \
    CALL(fgetc(nothing))                           \
    CALL(fclose(nothing))                          \
    CALL(fprintf(far, "%d", 1))

#define CALL(expression) #expression,
static const char *const names[] = {CALLS};
#undef CALL

enum { COUNT = sizeof names / sizeof *names };

static void call(int number) {
    int at = 0;
#define CALL(expression)  \
    if (number == at++) { \
        expression;       \
    }
    CALLS
}

int main(int count, char **arguments) {
    (void)arguments;
    pthread_t other;
    if (pthread_create(&other, NULL, idle, NULL) != 0) return 1;
    pthread_join(other, NULL);
    if (count > 1) call(0);
    struct sigaction action = {.sa_sigaction = failed, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    for (int i = 0; i < COUNT; i++) {
        int signal = sigsetjmp(before, 1);
        if (signal == 0) {
            call(i);
            printf("%s has not failed\n", names[i]);
        } else if (address == &constant) {
            printf("%s: signal %d at its address\n", names[i], signal);
        } else {
            printf("%s: signal %d at %#jx\n", names[i], signal, (uintmax_t)(uintptr_t)address);
        }
    }
    // Nothing of that is left.
    pthread_mutex_lock(&mutex);
    return pthread_mutex_unlock(&mutex);
}
