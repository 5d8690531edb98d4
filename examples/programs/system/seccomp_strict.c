// Shows: seccomp's strict mode: only read, write and exit are left; anything else kills.
#include <err.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *text) {
    if (write(1, text, strlen(text)) < 0)
        syscall(SYS_exit, 9);
}

int main(void) {
    for (int forbidden = 0; forbidden < 2; forbidden++) {
        pid_t child = fork();
        if (child == 0) {
            if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
                err(1, "seccomp");
            say("strict\n");
            if (forbidden)
                getppid();
            syscall(SYS_exit, 3);
        }
        int status;
        waitpid(child, &status, 0);
        printf("ended with %x\n", status);
        fflush(stdout);
    }
    return 0;
}
