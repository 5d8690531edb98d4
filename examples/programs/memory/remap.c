// Shows: mappings that grow, move, split, change rights and are mapped over.
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static char *map(size_t pages) {
    char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        err(1, "mmap");
    return at;
}

int main(void) {
    char *block = map(4);
    strcpy(block + 3 * PAGE, "at the end");
    char *fence = map(1);
    char *grown = mremap(block, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED)
        err(1, "mremap");
    printf("%p %p: %p has %s\n", (void *)block, (void *)fence, (void *)grown, grown + 3 * PAGE);
    char *target = map(10);
    char *moved = mremap(grown, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    printf("%p %p has %s\n", (void *)target, (void *)moved, moved + 3 * PAGE);
    if (mremap(fence, PAGE, PAGE / 2, 0) == MAP_FAILED || munmap(grown + 100 * PAGE, 50 * PAGE))
        err(1, "shrink");
    if (mprotect(target + PAGE, PAGE, PROT_NONE) || mprotect(target + PAGE, PAGE, PROT_READ | PROT_WRITE))
        err(1, "mprotect");
    char *fixed = mmap(target + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("%p now has %d\n", (void *)fixed, fixed[0]);
    if (mmap(target, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED)
        errx(1, "mapped over what was there");
    warn("mapping over what is there");
    unsigned char resident[10];
    if (mincore(target, 10 * PAGE, resident))
        err(1, "mincore");
    for (int i = 0; i < 10; i++)
        printf("%d", resident[i] & 1);
    char *hint = mmap((void *)0x300000000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("\na hint gave %p, another %p\n", (void *)hint, (void *)map(1));
    return 0;
}
