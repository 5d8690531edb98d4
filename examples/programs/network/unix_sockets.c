// Shows: unix sockets: named, abstract, in pairs; and a descriptor that is passed to another process.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void pass(int socket, int descriptor) {
    char byte = 'd', control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec piece = {&byte, 1};
    struct msghdr message = {NULL, 0, &piece, 1, control, sizeof control, 0};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    if (sendmsg(socket, &message, 0) != 1)
        err(1, "sendmsg");
}

static int take(int socket) {
    char byte, control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec piece = {&byte, 1};
    struct msghdr message = {NULL, 0, &piece, 1, control, sizeof control, 0};
    int descriptor;
    if (recvmsg(socket, &message, 0) != 1)
        err(1, "recvmsg");
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
    return descriptor;
}

int main(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        err(1, "socketpair");
    pid_t child = fork();
    if (child == 0) {
        int taken = take(pair[1]);
        dprintf(1, "child took %d\n", taken);
        dprintf(taken, "through the pipe that was passed\n");
        exit(0);
    }
    int ends[2], status;
    char text[100] = "";
    if (pipe(ends))
        err(1, "pipe");
    pass(pair[0], ends[1]);
    close(ends[1]);
    waitpid(child, &status, 0);
    if (read(ends[0], text, sizeof text) <= 0)
        errx(1, "nothing came");
    fputs(text, stdout);
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length))
        err(1, "SO_PEERCRED");
    printf("peer: process %d, user %u\n", peer.pid, peer.uid);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), caller = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1) ||
        connect(caller, (struct sockaddr *)&address, sizeof address))
        err(1, "named socket");
    int answered = accept(listener, NULL, NULL);
    if (send(caller, "packet", 6, 0) != 6 || recv(answered, text, 3, MSG_TRUNC) != 6)
        err(1, "packet");
    printf("three bytes of six: %.3s\n", text);
    return status || unlink("socket");
}
