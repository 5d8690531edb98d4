// Shows: datagrams over loopback with addresses, control messages and several at once.
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
    socklen_t length = sizeof address;
    int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0), option = 1;
    if (bind(receiver, (struct sockaddr *)&address, length) ||
        getsockname(receiver, (struct sockaddr *)&address, &length) ||
        setsockopt(receiver, SOL_SOCKET, SO_TIMESTAMP, &option, sizeof option))
        err(1, "receiver");
    unsigned char bytes[64];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes ||
        sendto(sender, bytes, 20, 0, (struct sockaddr *)&address, length) != 20)
        err(1, "sendto");
    char control[256] __attribute__((aligned(8)));
    unsigned char received[64] = {0};
    struct iovec pieces[2] = {{received, 7}, {received + 32, 30}};
    struct msghdr message = {&from, sizeof from, pieces, 2, control, sizeof control, 0};
    printf("received %zd from port %d\n", recvmsg(receiver, &message, 0), ntohs(from.sin_port));
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMP) {
            struct timeval when;
            memcpy(&when, CMSG_DATA(header), sizeof when);
            printf("at %ld.%06ld\n", when.tv_sec, when.tv_usec);
        }
    for (int i = 0; i < 64; i++)
        printf("%02x", received[i]);
    struct mmsghdr several[4] = {0};
    struct iovec parts[4];
    for (int i = 0; i < 4; i++) {
        parts[i] = (struct iovec){bytes + i * 8, 8 + i};
        several[i].msg_hdr = (struct msghdr){&address, sizeof address, &parts[i], 1, NULL, 0, 0};
    }
    printf("\nsent %d", sendmmsg(sender, several, 4, 0));
    static unsigned char targets[4][16];
    for (int i = 0; i < 4; i++) {
        parts[i] = (struct iovec){targets[i], 16};
        several[i].msg_hdr = (struct msghdr){NULL, 0, &parts[i], 1, NULL, 0, 0};
    }
    struct timespec patience = {5, 0};
    int count = recvmmsg(receiver, several, 4, MSG_WAITFORONE, &patience);
    printf(", received %d\n", count);
    for (int i = 0; i < count; i++)
        printf("%u bytes, first %02x\n", several[i].msg_len, targets[i][0]);
    printf("nothing left: %zd\n", recv(receiver, bytes, sizeof bytes, MSG_DONTWAIT));
    return 0;
}
