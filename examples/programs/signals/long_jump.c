// Shows: leaving handlers by siglongjmp, again and again, with and without restoring the mask.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static sigjmp_buf back;

static void leave(int signal) { siglongjmp(back, signal); }

int main(void) {
    volatile int jumps = 0;
    signal(SIGUSR1, leave), signal(SIGALRM, leave);
    int signal = sigsetjmp(back, 1);
    if (signal)
        jumps++;
    if (jumps < 1000)
        raise(SIGUSR1);
    printf("%d jumps, last by %d\n", jumps, signal);
    if (!sigsetjmp(back, 1)) {
        setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 20000}}, NULL);
        for (;;)
            pause();
    }
    puts("out of an endless pause");
    if (!sigsetjmp(back, 0))
        raise(SIGUSR1);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    printf("still blocked %d\n", sigismember(&blocked, SIGUSR1));
    return 0;
}
