// Shows: eventfd, timerfd and signalfd: counters, expirations and signals that are read.
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static uint64_t counted(int file) {
    uint64_t count = 0;
    if (read(file, &count, sizeof count) != sizeof count)
        err(1, "read");
    return count;
}

int main(void) {
    int events = eventfd(3, EFD_CLOEXEC);
    if (write(events, &(uint64_t){4}, 8) != 8)
        err(1, "eventfd");
    printf("eventfd %lu\n", counted(events));
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec set = {{0, 1000000}, {0, 1000000}}, left;
    if (timer < 0 || timerfd_settime(timer, 0, &set, NULL))
        err(1, "timerfd");
    usleep(20000);
    printf("timerfd %lu expirations\n", counted(timer));
    if (timerfd_gettime(timer, &left))
        err(1, "timerfd_gettime");
    printf("%ld ns to the next\n", left.it_value.tv_nsec);
    sigset_t wanted;
    sigemptyset(&wanted), sigaddset(&wanted, SIGUSR1), sigaddset(&wanted, SIGUSR2);
    if (sigprocmask(SIG_BLOCK, &wanted, NULL))
        err(1, "sigprocmask");
    int signals = signalfd(-1, &wanted, SFD_CLOEXEC);
    kill(getpid(), SIGUSR2), raise(SIGUSR1);
    struct signalfd_siginfo received;
    for (int i = 0; i < 2; i++) {
        if (read(signals, &received, sizeof received) != sizeof received)
            err(1, "signalfd");
        printf("signal %u code %d from %u\n", received.ssi_signo, received.ssi_code, received.ssi_pid);
    }
    return 0;
}
