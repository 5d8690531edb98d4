// Shows: faults that the program itself repairs: a handler that steps over the instruction, by editing the context.
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

static volatile int seen[65];

static void skip(int signal, siginfo_t *information, void *data) {
    ucontext_t *context = data;
    seen[signal]++;
    printf("signal %d code %d, address %p\n", signal, information->si_code,
           signal == SIGSEGV ? information->si_addr : NULL);
    // Each faulting instruction below is two bytes long; int3 has already been passed.
    if (signal != SIGTRAP)
        context->uc_mcontext.gregs[REG_RIP] += 2;
    context->uc_mcontext.gregs[REG_RBX] = 77;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    for (int i = 0; i < 5; i++)
        sigaction((int[]){SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS}[i], &action, NULL);
    for (int round = 0; round < 3; round++) {
        long value = 0;
        __asm__ volatile("mov (%%rax), %%ecx" : "+b"(value) : "a"(0x123456L) : "rcx", "memory");
        printf("after the load: %ld\n", value);
        value = 0;
        __asm__ volatile("idivl %%ecx" : "+b"(value) : "a"(1), "d"(0), "c"(0) : "cc");
        printf("after the division: %ld\n", value);
        value = 0;
        __asm__ volatile("ud2" : "+b"(value));
        printf("after the illegal instruction: %ld\n", value);
        value = 0;
        __asm__ volatile("int3" : "+b"(value));
        printf("after the breakpoint: %ld\n", value);
    }
    return seen[SIGSEGV] + seen[SIGFPE] + seen[SIGILL] + seen[SIGTRAP] - 12;
}
