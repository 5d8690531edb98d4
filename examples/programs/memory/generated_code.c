// Shows: code that is made while running, rewritten in place many times, and makes a system call of its own (getpid).
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

int main(void) {
    // mov eax, imm32; add eax, edi; ret
    unsigned char addition[] = {0xb8, 0, 0, 0, 0, 0x01, 0xf8, 0xc3};
    // mov eax, 39; syscall; ret
    unsigned char process[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
    unsigned char *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        err(1, "mmap");
    int (*run)(int) = (int (*)(int))code;
    unsigned sum = 0, constant;
    for (int i = 0; i < 1000; i++) {
        getrandom(&constant, sizeof constant, 0);
        memcpy(addition + 1, &constant, sizeof constant);
        memcpy(code, addition, sizeof addition);
        sum = sum * 31 + run(i);
    }
    printf("sum %x\n", sum);
    for (int i = 0; i < 3; i++) {
        memcpy(code, process, sizeof process);
        printf("process %d\n", run(0));
        memcpy(code, addition, sizeof addition);
        printf("%x\n", run(i));
    }
    // The way of compilers that keep to "writable or executable".
    memcpy(code + 4096, process, sizeof process);
    mprotect(code + 4096, 4096, PROT_READ | PROT_EXEC);
    printf("process %d\n", ((int (*)(int))(code + 4096))(0));
    return 0;
}
