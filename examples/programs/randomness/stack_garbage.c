// Shows: memory that was never initialised. What earlier calls (also those of the dynamic linker, and of a library
// that was there before main) left on the stack is an input like any other.
#include <alloca.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static uint64_t hash_of(const volatile unsigned char *bytes, size_t length) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

__attribute__((noinline)) static void show(size_t length) {
    volatile unsigned char *bytes = alloca(length);
    uint64_t hash = hash_of(bytes, length);
    printf("%zu bytes of stack: %016lx\n", length, hash);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    for (size_t length = 64; length <= 65536; length *= 2)
        show(length);
    unsigned char *block = malloc(100000);
    free(block);
    block = malloc(100000);
    printf("a block that was free: %016lx\n", hash_of(block, 100000));
    return 0;
}
