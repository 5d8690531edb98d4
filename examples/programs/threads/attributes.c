// Shows: what a thread has of its own: name, processors, priority, policy, stack, id; and what yielding does.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned order;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *show(void *argument) {
    long me = (long)argument;
    char name[16];
    snprintf(name, sizeof name, "worker %ld", me);
    pthread_setname_np(pthread_self(), name);
    cpu_set_t processors;
    CPU_ZERO(&processors);
    CPU_SET(me % 2, &processors);
    int is_bound = !pthread_setaffinity_np(pthread_self(), sizeof processors, &processors);
    pthread_getaffinity_np(pthread_self(), sizeof processors, &processors);
    setpriority(PRIO_PROCESS, gettid(), me);
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        order = order * 31 + me;
        pthread_mutex_unlock(&lock);
        sched_yield();
    }
    memset(name, 0, sizeof name);
    pthread_getname_np(pthread_self(), name, sizeof name);
    printf("%s: thread %d at %p, stack near %p, bound %d to %d, nice %d, policy %d, on %d\n", name, gettid(),
           (void *)pthread_self(), &me, is_bound, CPU_COUNT(&processors), getpriority(PRIO_PROCESS, gettid()),
           sched_getscheduler(0), sched_getcpu());
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 18);
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], i % 2 ? &attributes : NULL, show, (void *)i);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("process %d, order %x\n", getpid(), order);
    return 0;
}
