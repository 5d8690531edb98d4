// Shows: ends of a program, chosen by the argument: the parent of a replay must see what the recorded one saw.
#include <assert.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void said(void) { puts("atexit"); }
static void said_quickly(void) { puts("at_quick_exit"), fflush(stdout); }

__attribute__((noinline)) static int overflow(volatile char *above) {
    volatile char room[4096];
    room[0] = above ? above[0] : 0;
    return overflow(room) + room[1];
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "";
    puts(how);
    atexit(said), at_quick_exit(said_quickly);
    if (!strcmp(how, "exit"))
        exit(3);
    if (!strcmp(how, "_exit"))
        _exit(4);
    if (!strcmp(how, "quick_exit"))
        quick_exit(5);
    if (!strcmp(how, "system-call"))
        syscall(SYS_exit, 6);
    if (!strcmp(how, "big-status"))
        exit(0x1234);
    fflush(stdout);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "assert"))
        assert(count == 0);
    if (!strcmp(how, "segmentation-fault"))
        *(volatile int *)16 = 1;
    if (!strcmp(how, "division")) {
        volatile int zero = 0;
        return 100 * count / zero;
    }
    if (!strcmp(how, "illegal"))
        __builtin_trap();
    if (!strcmp(how, "stack-overflow"))
        return overflow(NULL);
    if (!strcmp(how, "jump-to-nowhere"))
        ((void (*)(void))0x10)();
    if (!strcmp(how, "kill"))
        kill(getpid(), SIGKILL);
    if (!strcmp(how, "terminate"))
        raise(SIGTERM);
    if (!strcmp(how, "broken-pipe")) {
        int ends[2];
        if (pipe(ends))
            err(1, "pipe");
        close(ends[0]);
        return write(ends[1], "x", 1);
    }
    if (!strcmp(how, "alarm")) {
        alarm(1);
        pause();
    }
    if (!strcmp(how, "alarm-while-computing")) {
        alarm(1);
        for (volatile unsigned rounds = 0;; rounds++)
            ;
    }
    return 2;
}
