// Shows: code that reads the time stamp counter and is mapped from a file while threads run, wait and begin.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t added = PTHREAD_COND_INITIALIZER;
static unsigned long (*now)(void);
static int pipes[2];

static void *reads(void *unused)
{
    char byte;
    if (read(pipes[0], &byte, 1) != 1)
        abort();
    return (void *)now();
}

static void *waits(void *unused)
{
    pthread_mutex_lock(&mutex);
    while (!now)
        pthread_cond_wait(&added, &mutex);
    pthread_mutex_unlock(&mutex);
    return (void *)now();
}

static void *asks(void *unused)
{
    for (;;) {
        pthread_mutex_lock(&mutex);
        int is_there = now != NULL;
        pthread_mutex_unlock(&mutex);
        if (is_there)
            return (void *)now();
    }
}

static void *begins(void *unused)
{
    return (void *)now();
}

static void *map(void)
{
    // rdtsc; shl rdx, 32; or rax, rdx; ret
    static const unsigned char code[] = {0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3};
    char name[] = "/tmp/added-XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    if (write(file, code, sizeof code) != sizeof code)
        abort();
    void *mapped = mmap(NULL, sizeof code, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    close(file);
    return mapped == MAP_FAILED ? NULL : mapped;
}

int main(void)
{
    void *(*const functions[])(void *) = {reads, waits, asks, begins};
    pthread_t threads[4];
    if (pipe(pipes) != 0)
        abort();
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, functions[i], NULL);
    void *mapped = map();
    pthread_mutex_lock(&mutex);
    now = mapped;
    pthread_cond_broadcast(&added);
    pthread_mutex_unlock(&mutex);
    if (write(pipes[1], "!", 1) != 1)
        abort();
    pthread_create(&threads[3], NULL, functions[3], NULL);
    for (int i = 0; i < 4; i++) {
        void *read;
        pthread_join(threads[i], &read);
        printf("%lx\n", (unsigned long)read);
    }
    printf("%lx\n", now());
    fflush(stdout);
    if (fork() == 0) {
        printf("%lx\n", now());
        return 0;
    }
    wait(NULL);
    return 0;
}
