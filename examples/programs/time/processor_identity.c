// Shows: cpuid, all leaves. The leaf with the initial APIC number differs from processor to processor, and what is
// recorded must not offer the instructions whose results nobody can log (rdrand, rdseed).
#include <cpuid.h>
#include <stdio.h>

// Of bytes that are in no function nobody can tell whether they are one. Those of which it can be told must be found.
__asm__(".text\n.byte 0x0f, 0xa2\n");

static void print(unsigned leaf, unsigned subleaf) {
    unsigned a, b, c, d;
    __cpuid_count(leaf, subleaf, a, b, c, d);
    printf("%08x.%u: %08x %08x %08x %08x\n", leaf, subleaf, a, b, c, d);
}

int main(void) {
    unsigned last = __get_cpuid_max(0, NULL), last_extended = __get_cpuid_max(0x80000000, NULL);
    for (unsigned leaf = 0; leaf <= last; leaf++)
        for (unsigned subleaf = 0; subleaf < 4; subleaf++)
            print(leaf, subleaf);
    for (unsigned leaf = 0x80000000; leaf <= last_extended; leaf++)
        print(leaf, 0);
    return 0;
}
