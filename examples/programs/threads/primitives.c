// Shows: every lock of pthreads: barriers and who is the serial thread, read-write locks, spin locks, once, semaphores,
// conditions with a deadline, and the order in which threads get them.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

enum { THREADS = 3, ROUNDS = 100 };

static pthread_barrier_t barrier;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static unsigned long order[4];
static int timeouts, initialisations;

static void initialise(void) { initialisations++; }
static void note(int what, long me) { order[what] = order[what] * 31 + me + 1; }

static void *work(void *argument) {
    long me = (long)argument, sum = 0;
    pthread_once(&once, initialise);
    for (int i = 0; i < ROUNDS; i++) {
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            note(0, me);
        if (i % THREADS == me) {
            pthread_rwlock_wrlock(&shared);
            note(1, me);
        } else {
            pthread_rwlock_rdlock(&shared);
            sum += order[1];
        }
        pthread_rwlock_unlock(&shared);
        pthread_spin_lock(&spin);
        note(2, me);
        pthread_spin_unlock(&spin);
        sem_wait(&semaphore);
        pthread_mutex_lock(&lock);
        note(3, me);
        if (i % 20 == me) {
            struct timespec deadline;
            clock_gettime(CLOCK_REALTIME, &deadline);
            deadline.tv_nsec = (deadline.tv_nsec + 500000) % 1000000000;
            timeouts += pthread_cond_timedwait(&changed, &lock, &deadline) == ETIMEDOUT;
        }
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
        sem_post(&semaphore);
    }
    return (void *)sum;
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS), pthread_spin_init(&spin, 0), sem_init(&semaphore, 0, 2);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *sum;
        pthread_join(threads[i], &sum);
        printf("thread %d saw %lx\n", i, (long)sum);
    }
    printf("barrier %lx, shared %lx, spin %lx, condition %lx, %d timeouts, initialised %d times\n", order[0], order[1],
           order[2], order[3], timeouts, initialisations);
    return 0;
}
