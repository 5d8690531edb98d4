// One sort of small operation, as often as the last argument says: what one costs is the difference between two runs by
// that number.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 16384, FAULT_PAGES = 1024 };

static char block[BLOCK];

// Zeros come at once: what is measured is the call and the copy.
static void reads(long count, size_t size) {
    int zeros = open("/dev/zero", O_RDONLY);
    for (; count > 0; count--)
        if (read(zeros, block, size) != (ssize_t)size) abort();
}

static void read_byte(long count) { reads(count, 1); }
static void read_block(long count) { reads(count, BLOCK); }

static void read_at(long count) {
    int file = open("/proc/self/exe", O_RDONLY);
    for (; count > 0; count--)
        if (pread(file, block, 64, count % 64 * 64) != 64) abort();
}

static void lock(long count) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (; count > 0; count--) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
}

static void *nothing(void *argument) { return argument; }

static void thread(long count) {
    for (; count > 0; count--) {
        pthread_t other;
        if (pthread_create(&other, NULL, nothing, NULL) != 0) abort();
        pthread_join(other, NULL);
    }
}

// Sixteen blocks live at a time.
static void allocate(long count) {
    void *live[16] = {NULL};
    for (; count > 0; count--) {
        free(live[count % 16]);
        live[count % 16] = malloc(16 + count % 1009);
    }
    for (int i = 0; i < 16; i++) free(live[i]);
}

static void atomic(long count) {
    static long counter;
    for (; count > 0; count--) __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
}

static void execute(long count) {
    for (; count > 0; count--) {
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) abort();
    }
}

static void map(long count) {
    for (; count > 0; count--) {
        void *pages = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED || munmap(pages, BLOCK) != 0) abort();
    }
}

// One page at a time; the kernel is given them back when all have been touched.
static void fault(long count) {
    size_t size = FAULT_PAGES * 4096;
    char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || madvise(pages, size, MADV_NOHUGEPAGE) != 0) abort();
    for (long i = 0; i < count; i++) {
        pages[i % FAULT_PAGES * 4096] = 1;
        if (i % FAULT_PAGES == FAULT_PAGES - 1) madvise(pages, size, MADV_DONTNEED);
    }
}

static volatile sig_atomic_t received;
static void receive(int number) { received += number == SIGUSR1; }

static void signals(long count) {
    signal(SIGUSR1, receive);
    for (long i = 0; i < count; i++) {
        received = 0;
        kill(getpid(), SIGUSR1);
        if (received != 1) abort();
    }
}

static const struct {
    const char *name;
    void (*work)(long);
} sorts[] = {
    {"read-byte", read_byte}, {"read-block", read_block}, {"read-at", read_at},   {"lock", lock},
    {"thread", thread},       {"allocate", allocate},     {"atomic", atomic},     {"execute", execute},
    {"map", map},             {"fault", fault},           {"signals", signals},
};

int main(int count, char **arguments) {
    if (count != 3) return 2;
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++)
        if (strcmp(sorts[i].name, arguments[1]) == 0) {
            sorts[i].work(atol(arguments[2]));
            return 0;
        }
    return 2;
}
