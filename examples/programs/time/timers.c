// Shows: POSIX timers and interval timers that are read rather than waited for.
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

int main(void) {
    struct sigevent nothing = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &nothing, &timer))
        err(1, "timer_create");
    struct itimerspec set = {{0, 1000000}, {0, 1000000}}, left;
    if (timer_settime(timer, 0, &set, NULL))
        err(1, "timer_settime");
    struct timespec pause = {0, 10500000};
    nanosleep(&pause, NULL);
    if (timer_gettime(timer, &left))
        err(1, "timer_gettime");
    printf("%ld ns to go, overrun %d\n", left.it_value.tv_nsec, timer_getoverrun(timer));
    if (timer_delete(timer))
        err(1, "timer_delete");
    struct itimerval interval = {{0, 0}, {1000, 0}}, rest;
    if (setitimer(ITIMER_REAL, &interval, NULL) || getitimer(ITIMER_REAL, &rest))
        err(1, "setitimer");
    printf("%ld.%06ld s to go\n", rest.it_value.tv_sec, rest.it_value.tv_usec);
    interval.it_value.tv_sec = 0;
    if (setitimer(ITIMER_REAL, &interval, &rest))
        err(1, "setitimer");
    printf("%ld.%06ld s were to go\n", rest.it_value.tv_sec, rest.it_value.tv_usec);
    return 0;
}
