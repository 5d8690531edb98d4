// Shows: prctl's questions and settings, among them those that a recorder itself uses.
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>

int main(void) {
    char name[16] = "";
    int number = 0;
    if (prctl(PR_GET_NAME, name))
        err(1, "PR_GET_NAME");
    printf("name %s\n", name);
    if (prctl(PR_SET_NAME, "another name that is too long") || prctl(PR_GET_NAME, name))
        err(1, "PR_SET_NAME");
    printf("name %s\n", name);
    printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
    printf("no new privileges %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    printf("seccomp %d\n", prctl(PR_GET_SECCOMP));
    if (prctl(PR_SET_PDEATHSIG, SIGUSR1) || prctl(PR_GET_PDEATHSIG, &number))
        err(1, "PR_SET_PDEATHSIG");
    printf("parent death signal %d\n", number);
    if (prctl(PR_GET_TSC, &number))
        err(1, "PR_GET_TSC");
    printf("time-stamp counter %d\n", number);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) || prctl(PR_GET_CHILD_SUBREAPER, &number))
        err(1, "PR_SET_CHILD_SUBREAPER");
    printf("subreaper %d\n", number);
    printf("timer slack %d\n", prctl(PR_GET_TIMERSLACK));
    printf("keep capabilities %d\n", prctl(PR_GET_KEEPCAPS));
    return 0;
}
