// Shows: sessions and process groups, a daemon that detaches itself, and signals to a whole group.
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int ends[2], status;
    char text[200] = "";
    if (pipe(ends))
        err(1, "pipe");
    pid_t child = fork();
    if (child == 0) {
        if (setsid() != getpid())
            err(1, "setsid");
        if (fork() == 0) {
            if (chdir("/"))
                err(1, "chdir");
            dprintf(ends[1], "daemon %d, session %d, group %d", getpid(), getsid(0), getpgrp());
            exit(0);
        }
        wait(NULL);
        exit(0);
    }
    waitpid(child, &status, 0);
    if (read(ends[0], text, sizeof text) <= 0)
        err(1, "read");
    puts(text);
    pid_t leader = 0;
    for (int i = 0; i < 3; i++) {
        pid_t member = fork();
        if (member == 0) {
            pause();
            _exit(1);
        }
        if (leader == 0)
            leader = member;
        if (setpgid(member, leader))
            err(1, "setpgid");
    }
    if (killpg(leader, SIGTERM))
        err(1, "killpg");
    for (int i = 0; i < 3; i++) {
        waitpid(-leader, &status, 0);
        printf("a member was killed by %d\n", WTERMSIG(status));
    }
    return status == 0;
}
