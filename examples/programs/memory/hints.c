// Shows: addresses that mmap is asked for and need not give, all over the address space, as V8 asks for random ones.
// Memory is there to be written and unmapped, wherever it is.
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define LENGTH (256 << 10)

static unsigned long used(char *memory) {
    memory[0] = memory[LENGTH - 1] = 1;
    if (munmap(memory, LENGTH))
        err(1, "munmap of %p", (void *)memory);
    return (unsigned long)memory;
}

int main(void) {
    unsigned long sum = 0;
    int refused = 0;
    for (uintptr_t hint = 1ul << 34; hint < 1ul << 46; hint += 1ul << 35) {
        char *memory = mmap((void *)hint, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            err(1, "mmap");
        sum = sum * 31 + used(memory);
        memory = mmap((void *)hint, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                      -1, 0);
        if (memory != MAP_FAILED)
            sum = sum * 31 + used(memory);
        else if (errno == EEXIST)
            refused++;
        else
            err(1, "MAP_FIXED_NOREPLACE");
    }
    printf("%lx, %d were taken\n", sum, refused);
    return 0;
}
