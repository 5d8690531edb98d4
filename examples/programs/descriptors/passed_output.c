// Shows: a process without standard output is given somebody else's in a message, as terminal multiplexers do.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

union Control {
    char bytes[CMSG_SPACE(2 * sizeof(int))];
    struct cmsghdr alignment;
};

int main(void) {
    int ends[2], passed[2];
    char byte = 'x';
    union Control control;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        err(1, "socketpair");
    if (fork() == 0) {
        close(0);
        close(1);
        close(2);
        if (recvmsg(ends[1], &message, 0) != 1)
            return 1;
        memcpy(passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof passed);
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        dprintf(passed[0], "passed on at %ld\n", now.tv_nsec);
        dprintf(passed[1], "and an error\n");
        return 0;
    }
    struct cmsghdr *rights = &control.alignment;
    *rights = (struct cmsghdr){CMSG_LEN(sizeof passed), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(rights), (int[]){1, 2}, sizeof passed);
    if (sendmsg(ends[0], &message, 0) != 1)
        err(1, "sendmsg");
    int status;
    wait(&status);
    return status;
}
