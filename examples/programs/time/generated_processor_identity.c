// Shows: cpuid in code that is made while running, with no system call between its writing and its execution, in a page
// of which another part is executed before and in between, as HotSpot asks what the processor can do. It must be told
// what compiled code is told, and the kernel must be able to write to such a page.
#include <cpuid.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef void (*Stub)(unsigned leaf, unsigned *result);

static const unsigned char nothing[] = {0xc3};
// push rbx; mov r8, rsi; mov eax, edi; xor ecx, ecx; jmp over 0f a2 that is no instruction; cpuid; mov [r8], eax;
// mov [r8 + 4], ebx; mov [r8 + 8], ecx; mov [r8 + 12], edx; pop rbx; ret
static const unsigned char ask[] = {0x53, 0x49, 0x89, 0xf0, 0x89, 0xf8, 0x31, 0xc9, 0xeb, 0x02, 0x0f, 0xa2,
                                    0x0f, 0xa2, 0x41, 0x89, 0x00, 0x41, 0x89, 0x58, 0x04, 0x41, 0x89, 0x48,
                                    0x08, 0x41, 0x89, 0x50, 0x0c, 0x5b, 0xc3};

static void compare(Stub stub) {
    unsigned generated[4], compiled[4];
    for (unsigned leaf = 0; leaf < 8; leaf++) {
        stub(leaf, generated);
        __cpuid_count(leaf, 0, compiled[0], compiled[1], compiled[2], compiled[3]);
        printf("%u: %08x %08x %08x %08x\n", leaf, generated[0], generated[1], generated[2], generated[3]);
        if (leaf == 1) // Which processor it is.
            compiled[1] = generated[1];
        if (memcmp(generated, compiled, sizeof compiled))
            errx(1, "leaf %u differs", leaf);
    }
}

int main(void) {
    unsigned char *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        err(1, "mmap");
    memcpy(code, nothing, sizeof nothing);
    ((void (*)(void))code)();
    memcpy(code + 16, ask, sizeof ask);
    ((void (*)(void))code)();
    compare((Stub)(code + 16));
    if (memcmp(code + 26, ask + 10, 2))
        errx(1, "what is no instruction was changed");

    // Across a page's end, and by way of mprotect.
    memcpy(code + 4096 - 13, ask, sizeof ask);
    mprotect(code, 8192, PROT_READ | PROT_EXEC);
    compare((Stub)(code + 4096 - 13));

    mprotect(code, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
    ((void (*)(void))code)();
    struct timespec *now = (struct timespec *)(code + 1024);
    struct stat *status = (struct stat *)(code + 2048);
    if (clock_gettime(CLOCK_REALTIME, now) || stat("/", status) || now->tv_sec < 1000 || !S_ISDIR(status->st_mode))
        err(1, "the kernel cannot write where the program can");
    int ends[2];
    char *text = (char *)code + 3072;
    ((void (*)(void))code)();
    if (pipe(ends) || write(ends[1], "hello", 6) != 6 || read(ends[0], text, 6) != 6)
        err(1, "read");
    puts(text);
    return 0;
}
