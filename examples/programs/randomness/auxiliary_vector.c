// Shows: what the kernel puts on the stack of a new program: the auxiliary vector, and the 16 random bytes from
// which glibc makes its stack canary and pointer guard.
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>

int main(void) {
    for (unsigned long type = 0; type < 60; type++)
        if (getauxval(type))
            printf("%2lu: %lx\n", type, getauxval(type));
    const unsigned char *bytes = (const unsigned char *)getauxval(AT_RANDOM);
    for (int i = 0; i < 16; i++)
        printf("%02x", bytes[i]);
    uint64_t canary, pointer_guard;
    __asm__("mov %%fs:0x28, %0" : "=r"(canary));
    __asm__("mov %%fs:0x30, %0" : "=r"(pointer_guard));
    printf("\ncanary %lx, pointer guard %lx\n", canary, pointer_guard);
    return 0;
}
