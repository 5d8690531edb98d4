// Shows: where everything is. A program that hashes or sorts by address behaves differently when they move.
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int initialised = 1, zeroed;
static __thread int own;

static int print(struct dl_phdr_info *object, size_t size, void *data) {
    (void)size, (void)data;
    printf("%s at %lx\n", object->dlpi_name, object->dlpi_addr);
    return 0;
}

int main(int count, char **arguments, char **environment) {
    (void)count;
    int local;
    printf("code %p data %p zeroed %p thread-local %p\n", (void *)main, (void *)&initialised, (void *)&zeroed,
           (void *)&own);
    printf("stack %p arguments %p environment %p, break %p\n", (void *)&local, (void *)arguments,
           (void *)environment, sbrk(0));
    printf("thread %lx\n", (unsigned long)pthread_self());
    for (size_t size = 1; size < 10000000; size *= 7)
        printf("%zu bytes at %p\n", size, malloc(size));
    for (int i = 0; i < 4; i++)
        printf("mapping at %p\n", mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    dl_iterate_phdr(print, NULL);
    return 0;
}
