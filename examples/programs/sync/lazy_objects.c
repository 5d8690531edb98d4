// Shows: objects in memory that the handler of the fault makes accessible, as lazy allocators do.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static struct {
    _Alignas(PAGE) pthread_cond_t condition;
    _Alignas(PAGE) pthread_barrier_t barrier;
    _Alignas(PAGE) sem_t semaphore;
    _Alignas(PAGE) pthread_mutex_t mutex;
    _Alignas(PAGE) pthread_rwlock_t table;
} objects;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int is_set, opened;

static void open_page(int signal, siginfo_t *information, void *context) {
    (void)signal, (void)context;
    unsigned long page = (unsigned long)information->si_addr & -(unsigned long)PAGE;
    opened++;
    mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
}

/* Until the main thread lets it go on. */
static void *idle(void *argument) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return argument;
}

static void *work(void *argument) {
    pthread_mutex_lock(&mutex);
    is_set = 1;
    pthread_cond_signal(&objects.condition);
    pthread_mutex_unlock(&mutex);
    sem_post(&objects.semaphore);
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&objects.mutex);
        pthread_rwlock_rdlock(&objects.table);
        pthread_rwlock_unlock(&objects.table);
        pthread_mutex_unlock(&objects.mutex);
    }
    return argument;
}

int main(void) {
    sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = open_page, .sa_flags = SA_SIGINFO}, NULL);
    pthread_barrier_init(&objects.barrier, NULL, 1);
    mprotect(&objects, sizeof objects, PROT_NONE);
    pthread_t sleeper, thread;
    pthread_mutex_lock(&mutex);
    pthread_create(&sleeper, NULL, idle, NULL);
    // Who opens a page must not be a matter of chance.
    pthread_barrier_wait(&objects.barrier);
    sem_post(&objects.semaphore);
    sem_wait(&objects.semaphore);
    pthread_mutex_lock(&objects.mutex);
    pthread_mutex_unlock(&objects.mutex);
    pthread_rwlock_wrlock(&objects.table);
    pthread_rwlock_unlock(&objects.table);
    pthread_create(&thread, NULL, work, NULL);
    while (!is_set) pthread_cond_wait(&objects.condition, &mutex);
    pthread_mutex_unlock(&mutex);
    sem_wait(&objects.semaphore);
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&objects.mutex);
        pthread_rwlock_wrlock(&objects.table);
        pthread_rwlock_unlock(&objects.table);
        pthread_mutex_unlock(&objects.mutex);
    }
    pthread_join(thread, NULL);
    pthread_join(sleeper, NULL);
    printf("%d pages were opened\n", opened);
    return 0;
}
