// Shows: rdtsc and rdtscp, which read a clock without any call that a library could see.
#include <stdint.h>
#include <stdio.h>

static uint64_t rdtsc(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static uint64_t rdtscp(uint32_t *processor) {
    uint32_t low, high;
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(*processor));
    return (uint64_t)high << 32 | low;
}

int main(void) {
    uint64_t earlier = rdtsc();
    for (int i = 0; i < 100; i++) {
        uint32_t processor;
        uint64_t plain = rdtsc(), ordered = rdtscp(&processor);
        printf("%lu %lu on %u\n", plain, ordered, processor);
        if (plain < earlier || ordered < plain)
            return 1;
        earlier = ordered;
    }
    return 0;
}
