// Shows: memory that is to be locked, present at once, huge, growing downwards, low, shared through /dev/zero.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void try(const char *what, long length, int flags, int file) {
    char *place = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, file, 0);
    if (place == MAP_FAILED) {
        printf("%s: not here\n", what);
        return;
    }
    sprintf(place + length - 100, "%d in %s", getpid(), what);
    printf("%p: %s, %d\n", (void *)place, place + length - 100, place[length / 2]);
    if (munmap(place, length))
        err(1, "munmap %s", what);
}

int main(void) {
    const int own = MAP_PRIVATE | MAP_ANONYMOUS;
    try("locked memory", 8192, own | MAP_LOCKED, -1);
    try("present memory", 8192, own | MAP_POPULATE, -1);
    try("memory without reserve", 8192, own | MAP_NORESERVE, -1);
    try("a stack", 65536, own | MAP_STACK | MAP_GROWSDOWN, -1);
    try("low memory", 8192, own | MAP_32BIT, -1);
    try("huge pages", 4 << 20, own | MAP_HUGETLB, -1);
    try("shared huge pages", 4 << 20, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1);
    int zero = open("/dev/zero", O_RDWR);
    try("private zeros", 8192, MAP_PRIVATE, zero);
    try("shared zeros", 8192, MAP_SHARED, zero);
    char *place = mmap(NULL, 8192, PROT_READ | PROT_WRITE, own, -1, 0);
    if (mlock(place, 8192) || munlock(place, 8192) || mlockall(MCL_CURRENT) || munlockall())
        warn("mlock");
    unsigned char present[2] = {9, 9};
    if (mincore(place, 8192, present))
        err(1, "mincore");
    printf("present: %d %d\n", present[0] & 1, present[1] & 1);
    return 0;
}
