// Shows: signals in loops that change nothing at all, ended by a flag or by a jump out of the handler.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/time.h>

static volatile sig_atomic_t flag;
static sigjmp_buf out;

static void set_flag(int signal) { flag++; }
static void jump(int signal) { siglongjmp(out, 1); }

static void soon(void) {
    struct itimerval timer = {{0, 0}, {0, 3000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

int main(void) {
    for (volatile int round = 0; round < 5; round++) {
        signal(SIGALRM, set_flag);
        soon();
        while (flag == round) {
        }
        printf("the flag is %d\n", (int)flag);
        signal(SIGALRM, jump);
        if (sigsetjmp(out, 1) == 0) {
            soon();
            for (;;) {
            }
        }
        printf("out of round %d\n", round);
    }
    return 0;
}
