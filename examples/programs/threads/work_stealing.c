// Shows: a pool of threads with a queue each; who has nothing to do steals from the others. Who did what is chance.
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, TASKS = 400 };

typedef struct {
    pthread_mutex_t lock;
    int tasks[TASKS], count;
} Queue;

static Queue queues[THREADS];
static int doers[TASKS], stolen[THREADS];
static unsigned long results[TASKS];

static int take(Queue *queue, int from_the_front) {
    int task = -1;
    pthread_mutex_lock(&queue->lock);
    if (queue->count > 0) {
        task = queue->tasks[from_the_front ? 0 : queue->count - 1];
        if (from_the_front)
            for (int i = 1; i < queue->count; i++)
                queue->tasks[i - 1] = queue->tasks[i];
        queue->count--;
    }
    pthread_mutex_unlock(&queue->lock);
    return task;
}

static void *work(void *argument) {
    int me = (long)argument;
    for (;;) {
        int task = take(&queues[me], 0);
        for (int i = 1; task < 0 && i < THREADS; i++)
            if ((task = take(&queues[(me + i) % THREADS], 1)) >= 0)
                stolen[me]++;
        if (task < 0)
            return NULL;
        unsigned long result = task;
        for (int i = 0; i < task * 100; i++)
            result = result * 6364136223846793005 + 1;
        doers[task] = me, results[task] = result;
    }
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_mutex_init(&queues[i].lock, NULL);
    // All tasks are the first thread's, so that the others live by theft.
    for (int i = 0; i < TASKS; i++)
        queues[0].tasks[queues[0].count++] = i;
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    unsigned long hash = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL), printf("thread %d stole %d\n", i, stolen[i]);
    for (int i = 0; i < TASKS; i++)
        hash = hash * 31 + doers[i] + results[i];
    printf("%lx\n", hash);
    return 0;
}
