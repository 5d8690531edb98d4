// Shows: a garbage collector's write barrier: pages are protected, the first store to each faults, and the handler
// opens the page. System calls that write there fail with EFAULT instead.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64 };

static char *heap;
static volatile int dirty[PAGES];

static void open_page(int signal, siginfo_t *information, void *context) {
    (void)signal, (void)context;
    long page = ((char *)information->si_addr - heap) / PAGE;
    if (page < 0 || page >= PAGES || mprotect(heap + page * PAGE, PAGE, PROT_READ | PROT_WRITE))
        _exit(99);
    dirty[page]++;
}

int main(void) {
    heap = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_sigaction = open_page, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    for (int round = 0; round < 5; round++) {
        unsigned char choices[20];
        if (mprotect(heap, PAGES * PAGE, PROT_READ) || getrandom(choices, sizeof choices, 0) != sizeof choices)
            err(1, "mprotect");
        for (unsigned i = 0; i < sizeof choices; i++)
            heap[choices[i] % PAGES * PAGE + choices[i]] = round;
        int pages = 0;
        for (int i = 0; i < PAGES; i++)
            pages += dirty[i], dirty[i] = 0;
        printf("round %d: %d pages\n", round, pages);
    }
    mprotect(heap, PAGE, PROT_READ);
    int ends[2];
    if (pipe(ends) || write(ends[1], "abc", 3) != 3)
        err(1, "pipe");
    ssize_t length = read(ends[0], heap, 3);
    printf("read into a protected page: %zd %d\n", length, errno == EFAULT);
    heap[0] = 1;
    printf("read after the barrier: %zd\n", read(ends[0], heap, 3));
    length = write(ends[1], (char *)16, 1);
    printf("write from nowhere: %zd %d\n", length, errno == EFAULT);
    return 0;
}
