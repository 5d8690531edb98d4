// Shows: producers and a consumer in processes that share anonymous memory, with a mutex, a condition and a semaphore.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRODUCERS = 2, ITEMS = 200, ROOM = 8 };

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    sem_t room;
    int items[ROOM], first, count;
} Shared;

static void produce(Shared *shared, int me) {
    for (int i = 0; i < ITEMS; i++) {
        sem_wait(&shared->room);
        pthread_mutex_lock(&shared->lock);
        shared->items[(shared->first + shared->count++) % ROOM] = me * ITEMS + i;
        pthread_cond_signal(&shared->changed);
        pthread_mutex_unlock(&shared->lock);
    }
}

int main(void) {
    Shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    pthread_mutexattr_init(&mutex), pthread_condattr_init(&condition);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->lock, &mutex), pthread_cond_init(&shared->changed, &condition);
    sem_init(&shared->room, 1, ROOM);
    for (int i = 0; i < PRODUCERS; i++)
        if (fork() == 0) {
            produce(shared, i);
            _exit(0);
        }
    unsigned order = 0, sum = 0, full = 0;
    for (int i = 0; i < PRODUCERS * ITEMS; i++) {
        pthread_mutex_lock(&shared->lock);
        while (!shared->count)
            pthread_cond_wait(&shared->changed, &shared->lock);
        full += shared->count == ROOM;
        int item = shared->items[shared->first];
        shared->first = (shared->first + 1) % ROOM, shared->count--;
        pthread_mutex_unlock(&shared->lock);
        sem_post(&shared->room);
        order = order * 31 + item, sum += item;
    }
    while (wait(NULL) > 0)
        ;
    printf("order %x, sum %u, full %u times\n", order, sum, full);
    return 0;
}
