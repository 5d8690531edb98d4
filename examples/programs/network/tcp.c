// Shows: a TCP connection to a forked child over loopback: ports that the kernel chooses, partial reads, options.
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 300000 };

static void serve(int listener) {
    static unsigned char bytes[SIZE];
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0 || getrandom(bytes, SIZE, 0) != SIZE)
        err(1, "accept");
    for (size_t sent = 0; sent < SIZE;) {
        ssize_t length = send(connection, bytes + sent, SIZE - sent, MSG_NOSIGNAL);
        if (length < 0)
            err(1, "send");
        sent += length;
    }
    exit(shutdown(connection, SHUT_WR) != 0);
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer;
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), option = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &option, sizeof option) ||
        bind(listener, (struct sockaddr *)&address, length) || listen(listener, 5) ||
        getsockname(listener, (struct sockaddr *)&address, &length))
        err(1, "listen");
    printf("listening on port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    pid_t server = fork();
    if (server == 0)
        serve(listener);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address))
        err(1, "connect");
    length = sizeof peer;
    if (getsockname(connection, (struct sockaddr *)&peer, &length))
        err(1, "getsockname");
    printf("connected from port %d\n", ntohs(peer.sin_port));
    length = sizeof option;
    if (getsockopt(connection, SOL_SOCKET, SO_RCVBUF, &option, &length))
        err(1, "getsockopt");
    printf("receive buffer %d\n", option);
    struct tcp_info information;
    length = sizeof information;
    if (getsockopt(connection, IPPROTO_TCP, TCP_INFO, &information, &length))
        err(1, "TCP_INFO");
    printf("round trip %u us\n", information.tcpi_rtt);
    unsigned char bytes[65536];
    unsigned sum = 0, total = 0;
    ssize_t received;
    while ((received = recv(connection, bytes, sizeof bytes, 0)) > 0) {
        printf("%zd ", received);
        for (ssize_t i = 0; i < received; i++)
            sum = sum * 31 + bytes[i];
        total += received;
    }
    int status;
    waitpid(server, &status, 0);
    printf("\n%u bytes, sum %08x, server %d\n", total, sum, status);
    return total != SIZE;
}
