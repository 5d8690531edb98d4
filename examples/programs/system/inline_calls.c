// Shows: system calls that no library sees: the instruction is in the program, also in code that it writes itself at
// run time.
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long call(long number, long first, long second, long third) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
    return result;
}

int main(void) {
    struct timespec now;
    for (int i = 0; i < 100; i++)
        if (call(SYS_clock_gettime, CLOCK_REALTIME, (long)&now, 0))
            errx(1, "clock_gettime");
    printf("%ld.%09ld\n", now.tv_sec, now.tv_nsec);
    unsigned char bytes[16];
    if (call(SYS_getrandom, (long)bytes, 16, 0) != 16)
        errx(1, "getrandom");
    for (int i = 0; i < 16; i++)
        printf("%02x", bytes[i]);
    printf("\nan error comes back as it is: %ld\n", call(SYS_close, 999, 0, 0));
    // mov eax, edi; syscall; ret
    static const unsigned char code[] = {0x89, 0xf8, 0x0f, 0x05, 0xc3};
    unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof code);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC))
        err(1, "mprotect");
    long (*generated)(int) = (long (*)(int))page;
    for (int i = 0; i < 3; i++)
        printf("%d\n", generated(SYS_getpid) == getpid());
    fflush(stdout);
    return call(SYS_exit_group, 0, 0, 0);
}
