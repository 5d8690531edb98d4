// Shows: SIGALRM from alarm, setitimer and timer_create while the program sleeps, polls or pauses.
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t rings;

static void ring(int signal) {
    (void)signal;
    rings++;
}

int main(void) {
    struct sigaction action = {.sa_handler = ring};
    struct timespec rest = {0, 0}, now;
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {{0, 0}, {0, 50000}}, often = {{0, 10000}, {0, 10000}}, never = {0};
    setitimer(ITIMER_REAL, &soon, NULL);
    int result = nanosleep(&(struct timespec){20, 0}, &rest);
    printf("nanosleep %d, %s, about %ld s left, exactly %09ld ns\n", result, strerror(errno), rest.tv_sec,
           rest.tv_nsec);
    setitimer(ITIMER_REAL, &soon, NULL);
    printf("poll %d", poll(NULL, 0, 20000));
    printf(" %s\n", strerror(errno));
    setitimer(ITIMER_REAL, &soon, NULL);
    printf("pause %d", pause());
    printf(" %s\n", strerror(errno));
    setitimer(ITIMER_REAL, &often, NULL);
    while (rings < 20)
        pause();
    setitimer(ITIMER_REAL, &never, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer))
        err(1, "timer_create");
    timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 20000000}}, NULL);
    pause();
    alarm(1);
    pause();
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%d rings, alarm left %u, now %ld.%09ld\n", rings, alarm(0), now.tv_sec, now.tv_nsec);
    return 0;
}
