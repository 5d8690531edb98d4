// Shows: registers across a system call. The kernel changes rax, rcx and r11 only; glibc and compilers rely on the
// others, vector registers included, and on the flags of what comes next.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

struct registers {
    uint64_t general[12];
    uint8_t vectors[16][16];
};

static struct registers before, after;

__attribute__((noinline)) static long call(long number) {
    long result;
    __asm__ volatile(
        "push %%rbp\n"
        "movups 96(%[before]), %%xmm0\n movups 112(%[before]), %%xmm1\n movups 128(%[before]), %%xmm2\n"
        "movups 144(%[before]), %%xmm3\n movups 336(%[before]), %%xmm15\n"
        "mov 0(%[before]), %%rdi\n mov 8(%[before]), %%rsi\n mov 16(%[before]), %%rdx\n mov 24(%[before]), %%r8\n"
        "mov 32(%[before]), %%r9\n mov 40(%[before]), %%r10\n mov 48(%[before]), %%r12\n mov 56(%[before]), %%r13\n"
        "syscall\n"
        "movups %%xmm0, 96(%[after])\n movups %%xmm1, 112(%[after])\n movups %%xmm2, 128(%[after])\n"
        "movups %%xmm3, 144(%[after])\n movups %%xmm15, 336(%[after])\n"
        "mov %%rdi, 0(%[after])\n mov %%rsi, 8(%[after])\n mov %%rdx, 16(%[after])\n mov %%r8, 24(%[after])\n"
        "mov %%r9, 32(%[after])\n mov %%r10, 40(%[after])\n mov %%r12, 48(%[after])\n mov %%r13, 56(%[after])\n"
        "pop %%rbp\n"
        : "=a"(result)
        : "a"(number), [before] "b"(&before), [after] "r"(&after)
        : "rdi", "rsi", "rdx", "r8", "r9", "r10", "r12", "r13", "rcx", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm15",
          "memory");
    return result;
}

static const int used_vectors[] = {0, 1, 2, 3, 15};

int main(void) {
    struct timespec now;
    for (unsigned round = 0; round < 1000; round++) {
        for (int i = 0; i < 8; i++)
            before.general[i] = 0x1111111111111111u * (i + 1) + round;
        before.general[0] = CLOCK_MONOTONIC, before.general[1] = (uintptr_t)&now;
        for (int i = 0; i < 16; i++)
            memset(before.vectors[i], i * 16 + round, 16);
        if (call(round % 2 ? SYS_getpid : SYS_clock_gettime) < 0)
            return 1;
        if (memcmp(before.general, after.general, 8 * 8)) {
            puts("a general register has changed");
            return 2;
        }
        for (unsigned i = 0; i < 5; i++)
            if (memcmp(before.vectors[used_vectors[i]], after.vectors[used_vectors[i]], 16)) {
                puts("a vector register has changed");
                return 3;
            }
    }
    puts("registers survive system calls");
    return 0;
}
