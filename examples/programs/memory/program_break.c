// Shows: the program break, moved by the program itself and by malloc.
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    // Or printf would move the break for its buffer.
    setvbuf(stdout, NULL, _IONBF, 0);
    char *start = sbrk(0);
    char *block = sbrk(100000);
    if (block != start)
        errx(1, "sbrk gave %p after %p", (void *)block, (void *)start);
    memset(block, 'x', 100000);
    printf("%p to %p\n", (void *)start, sbrk(0));
    if (sbrk(-50000) == (void *)-1 || sbrk(50000) == (void *)-1)
        err(1, "sbrk");
    // Pages that were given back come back empty.
    printf("%d then %d\n", block[0], block[99999]);
    void *blocks[1000];
    uintptr_t sum = 0;
    for (int i = 0; i < 1000; i++)
        sum += (uintptr_t)(blocks[i] = malloc(i * 97 % 5000));
    for (int i = 0; i < 1000; i += 3)
        free(blocks[i]);
    for (int i = 0; i < 1000; i += 3)
        sum += (uintptr_t)(blocks[i] = realloc(NULL, i * 31 % 70000));
    printf("sum of addresses %lx, break %p\n", sum, sbrk(0));
    if (sbrk(1L << 46) != (void *)-1)
        errx(1, "a break of 64 TiB");
    warn("a break of 64 TiB");
    return 0;
}
