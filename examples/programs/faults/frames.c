// Shows: what a handler finds in its frame beside registers: the blocked signals, and the last fault of the thread.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf after;

static void handler(int signal, siginfo_t *information, void *data) {
    ucontext_t *context = data;
    greg_t *registers = context->uc_mcontext.gregs;
    char line[160];
    int length = snprintf(line, sizeof line, "signal %d: error %llx, trap %lld, masks %llx %lx, address %llx\n", signal,
                          registers[REG_ERR], registers[REG_TRAPNO], registers[REG_OLDMASK],
                          *(unsigned long *)&context->uc_sigmask, registers[REG_CR2]);
    write(1, line, length);
    if (signal != SIGALRM)
        siglongjmp(after, 1);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    for (int i = 0; i < 4; i++)
        sigaction((int[]){SIGSEGV, SIGFPE, SIGILL, SIGALRM}[i], &action, NULL);
    sigset_t set;
    sigemptyset(&set);
    for (int round = 0; round < 3; round++) {
        raise(SIGALRM);
        if (!sigsetjmp(after, 1))
            __asm__ volatile("idivl %%ecx" ::"a"(1), "d"(0), "c"(0) : "cc");
        if (!sigsetjmp(after, 1))
            *(volatile int *)(0x1234L + round) = 1;
        if (!sigsetjmp(after, 1))
            __builtin_trap();
        // The kernel's fault, not the program's.
        struct iovec nowhere = {(void *)0x999000, 8};
        writev(1, &nowhere, 1);
        raise(SIGALRM);
        sigaddset(&set, SIGUSR1 + 2 * round);
        sigprocmask(SIG_BLOCK, &set, NULL);
    }
    return 0;
}
