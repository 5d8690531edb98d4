// Shows: madvise, which throws memory away; mlock; a memfd; memory that is filled by the kernel through each of them.
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum { SIZE = 1 << 20 };

int main(void) {
    unsigned char *block = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (getrandom(block, SIZE, 0) != SIZE)
        err(1, "getrandom");
    printf("%02x%02x", block[0], block[SIZE - 1]);
    if (madvise(block, SIZE / 2, MADV_DONTNEED))
        err(1, "madvise");
    printf(" then %02x%02x\n", block[0], block[SIZE - 1]);
    if (madvise(block, SIZE, MADV_HUGEPAGE) || madvise(block, SIZE, MADV_DONTFORK))
        warn("advice");
    if (mlock(block, 4096) || munlock(block, 4096))
        warn("mlock");
    int memory = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0 || ftruncate(memory, SIZE))
        err(1, "memfd_create");
    unsigned char *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    memcpy(shared, block + SIZE / 2, 100);
    unsigned char back[100];
    if (pread(memory, back, 100, 0) != 100 || memcmp(back, shared, 100))
        errx(1, "the memfd differs from its mapping");
    for (int i = 0; i < 100; i++)
        printf("%02x", back[i]);
    putchar('\n');
    return munmap(shared, SIZE) || munmap(block, SIZE);
}
