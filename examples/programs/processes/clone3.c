// Shows: the bare clone3: a process with its descriptor and its id written to different places, one whose handlers are
// cleared, one that runs in its parent's memory on a stack of its own, and arguments that the kernel does not take.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long clone3(struct clone_args *arguments, size_t size) { return syscall(SYS_clone3, arguments, size); }

static void handle(int signal) { (void)signal; }

static void report(const char *what, long child) {
    int status = -1;
    waitpid((pid_t)child, &status, __WALL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%s %ld ended with %x at %ld\n", what, child, status, now.tv_nsec);
    fflush(stdout);
}

static char stack[64 << 10] __attribute__((aligned(16)));
static volatile int written;

// The child returns from nothing: it calls a function on its own stack and ends.
static long in_our_memory(struct clone_args *arguments) {
    long result;
    __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\t"
                     "movl $7, %[word]\n\tmov $60, %%eax\n\tmov $5, %%edi\n\tsyscall\n\t1:"
                     : "=a"(result), [word] "+m"(written)
                     : "a"(SYS_clone3), "D"(arguments), "S"(sizeof *arguments)
                     : "rcx", "r11", "memory");
    return result;
}

int main(void) {
    int descriptor = -1;
    pid_t parents = -1, childs = -1;
    struct clone_args both = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
                              .pidfd = (uintptr_t)&descriptor,
                              .parent_tid = (uintptr_t)&parents,
                              .child_tid = (uintptr_t)&childs,
                              .exit_signal = SIGCHLD};
    long child = clone3(&both, sizeof both);
    if (child == 0) _exit(childs == getpid() ? 3 : 4);
    struct pollfd ready = {.fd = descriptor, .events = POLLIN};
    printf("id written: %d, descriptor %d ready: %d\n", parents == child, descriptor, poll(&ready, 1, -1));
    report("a child", child);

    signal(SIGUSR1, handle);
    signal(SIGUSR2, SIG_IGN);
    struct clone_args cleared = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    child = clone3(&cleared, sizeof cleared);
    if (child == 0) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one);
        sigaction(SIGUSR2, NULL, &two);
        if (one.sa_handler != SIG_DFL || two.sa_handler != SIG_IGN) _exit(9);
        raise(SIGUSR1);
        _exit(8);
    }
    report("a child without handlers", child);
    struct sigaction kept;
    sigaction(SIGUSR1, NULL, &kept);
    printf("the parent's handler stays: %d\n", kept.sa_handler == handle);

    struct clone_args sharing = {.flags = CLONE_VM | CLONE_VFORK,
                                 .exit_signal = SIGCHLD,
                                 .stack = (uintptr_t)stack,
                                 .stack_size = sizeof stack};
    child = in_our_memory(&sharing);
    printf("it wrote %d\n", written);
    report("a child in our memory", child);

    struct clone_args wrong = {.flags = CLONE_THREAD, .exit_signal = SIGCHLD};
    printf("%ld %d, ", clone3(&wrong, sizeof wrong), errno);
    printf("%ld %d, ", clone3(&cleared, 8), errno);
    printf("%ld %d, ", clone3(NULL, sizeof wrong), errno);
    struct clone_args no_size = {.stack = (uintptr_t)stack, .exit_signal = SIGCHLD};
    printf("%ld %d\n", clone3(&no_size, sizeof no_size), errno);
    return 0;
}
