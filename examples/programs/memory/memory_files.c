// Shows: files that are only memory, written by calls and through mappings, sparse, sealed, and mapped as code.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void) {
    const long huge = 1L << 32;
    int file = memfd_create("memory", MFD_ALLOW_SEALING);
    if (file < 0 || ftruncate(file, huge))
        err(1, "memfd_create");
    // 4 GiB, nearly all of it holes.
    char *all = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    char *end = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, huge - 4096);
    if (all == MAP_FAILED || end == MAP_FAILED)
        err(1, "mmap");
    sprintf(all + huge - 100, "stored by %d", getpid());
    printf("%s\n", end + 4096 - 100);
    if (pwrite(file, "written", 8, huge / 2) != 8)
        err(1, "pwrite");
    printf("%s\n", all + huge / 2);
    if (madvise(all + huge / 2, 4096, MADV_REMOVE))
        err(1, "madvise");
    printf("removed: '%s'\n", all + huge / 2);
    if (munmap(all, huge) || munmap(end, 4096) || fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK))
        err(1, "munmap");

    // mov eax, 42; ret
    if (pwrite(file, "\xb8\x2a\0\0\0\xc3", 6, 0) != 6)
        err(1, "pwrite");
    int (*code)(void) = (int (*)(void))mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    if (code == MAP_FAILED)
        err(1, "mmap");
    printf("code says %d\n", code());
    if (pwrite(file, "\xb8\x2b", 2, 0) != 2)
        err(1, "pwrite");
    printf("code says %d\n", code());
    return 0;
}
