// Shows: a garbage collector's write barrier with threads: one protects pages again and again, the others' stores fault
// and the handler opens the page and notes it.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, THREADS = 2, STORES = 20000 };

static char *heap;
static atomic_int faults, alive = THREADS;
static atomic_uint order;

static void open_page(int signal, siginfo_t *information, void *context) {
    unsigned long page = ((char *)information->si_addr - heap) / PAGE;
    if (page >= PAGES)
        _exit(9);
    mprotect(heap + page * PAGE, PAGE, PROT_READ | PROT_WRITE);
    atomic_store(&order, atomic_load(&order) * 31 + page);
    atomic_fetch_add(&faults, 1);
}

static void *store(void *argument) {
    unsigned state = (long)argument;
    for (int i = 0; i < STORES; i++) {
        state = state * 1103515245 + 12345;
        heap[state / 65536 % PAGES * PAGE + (long)argument]++;
    }
    alive--;
    return NULL;
}

int main(void) {
    heap = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = open_page, .sa_flags = SA_SIGINFO}, NULL);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, store, (void *)(i + 1));
    int rounds = 0;
    for (; alive; rounds++) {
        mprotect(heap, PAGES * PAGE, PROT_READ);
        usleep(100);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d rounds, %d faults, order %x\n", rounds, faults, order);
    return 0;
}
