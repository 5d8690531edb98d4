// Shows: a handler on its own stack, also for the overflow of the ordinary one.
#include <err.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static sigjmp_buf back;
static char *stack;
static size_t size = 65536;

static void handle(int signal, siginfo_t *information, void *context) {
    (void)context, (void)information;
    char local;
    printf("signal %d on the alternate stack: %d\n", signal, &local > stack && &local < stack + size);
    if (signal == SIGSEGV)
        siglongjmp(back, 1);
}

__attribute__((noinline)) static int overflow(volatile char *above) {
    volatile char room[4096];
    room[0] = above ? above[0] : 0;
    return overflow(room) + room[1];
}

int main(void) {
    stack = malloc(size);
    stack_t alternate = {.ss_sp = stack, .ss_size = size}, current;
    if (sigaltstack(&alternate, NULL) || sigaltstack(NULL, &current) || current.ss_sp != stack)
        err(1, "sigaltstack");
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL), sigaction(SIGSEGV, &action, NULL);
    raise(SIGUSR1);
    for (int i = 0; i < 3; i++)
        if (!sigsetjmp(back, 1))
            overflow(NULL);
        else
            printf("survived overflow %d\n", i);
    alternate.ss_flags = SS_DISABLE;
    return sigaltstack(&alternate, &current) || current.ss_size != size;
}
