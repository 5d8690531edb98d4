// Shows: select, poll and epoll: the kernel fills sets and arrays, and leaves the time that was left.
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

int main(void) {
    int first[2], second[2];
    if (pipe(first) || pipe(second) || write(second[1], "x", 1) != 1)
        err(1, "pipe");
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(first[0], &readable);
    FD_SET(second[0], &readable);
    FD_SET(first[1], &writable);
    struct timeval patience = {5, 0};
    int ready = select(second[1] + 1, &readable, &writable, NULL, &patience);
    printf("select %d: %d %d %d, %ld.%06ld left\n", ready, FD_ISSET(first[0], &readable) != 0,
           FD_ISSET(second[0], &readable) != 0, FD_ISSET(first[1], &writable) != 0, patience.tv_sec,
           patience.tv_usec);
    struct pollfd polled[] = {{first[0], POLLIN, 0}, {second[0], POLLIN, 0}, {first[1], POLLOUT, 0}, {99, POLLIN, 0}};
    ready = poll(polled, 4, 1000);
    printf("poll %d: %x %x %x %x\n", ready, polled[0].revents, polled[1].revents, polled[2].revents,
           polled[3].revents);
    struct timespec brief = {0, 10000000};
    printf("ppoll %d\n", ppoll(polled, 1, &brief, NULL));
    int set = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 3; i++) {
        struct epoll_event wanted = {polled[i].events, {.u64 = 0x1122334455667700 + i}};
        if (epoll_ctl(set, EPOLL_CTL_ADD, polled[i].fd, &wanted))
            err(1, "epoll_ctl");
    }
    struct epoll_event events[8];
    ready = epoll_wait(set, events, 8, 1000);
    for (int i = 0; i < ready; i++)
        printf("epoll %x %lx\n", events[i].events, events[i].data.u64);
    if (epoll_ctl(set, EPOLL_CTL_DEL, first[1], NULL) || epoll_ctl(set, EPOLL_CTL_DEL, second[0], NULL))
        err(1, "epoll_ctl");
    printf("nothing: %d\n", epoll_wait(set, events, 8, 10));
    return 0;
}
